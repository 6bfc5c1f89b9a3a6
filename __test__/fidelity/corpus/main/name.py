print(__name__, __name__ == "__main__")
if __name__ == "__main__":
    print("ran as main")
