"""Memory shared by processes, in /dev/shm."""
import multiprocessing
from multiprocessing import shared_memory


def fill(name):
    memory = shared_memory.SharedMemory(name)
    memory.buf[:4] = b"done"
    memory.close()


if __name__ == "__main__":
    memory = shared_memory.SharedMemory(create=True, size=1 << 20)
    process = multiprocessing.Process(target=fill, args=(memory.name,))
    process.start()
    process.join()
    print(bytes(memory.buf[:4]), process.exitcode)
    memory.close()
    memory.unlink()
