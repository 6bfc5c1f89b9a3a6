import multiprocessing

del __file__

if __name__ == "__main__":
    process = multiprocessing.get_context("forkserver").Process(target=print, args=("served",))
    process.start()
    process.join()
    print(process.exitcode)
