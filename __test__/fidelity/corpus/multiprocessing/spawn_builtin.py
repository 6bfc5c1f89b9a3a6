import multiprocessing

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=print, args=("from the spawned one",))
    process.start()
    process.join()
    print(process.exitcode)
