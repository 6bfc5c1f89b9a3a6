#: mask ["0x[0-9a-f]+"]
class Noisy:
    def __del__(self):
        raise ValueError("in __del__")


noisy = Noisy()
print("end")
