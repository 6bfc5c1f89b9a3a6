from multiprocessing import shared_memory

memory = shared_memory.SharedMemory(create=True, size=100)
memory.buf[:3] = b"abc"
other = shared_memory.SharedMemory(memory.name)
print(bytes(other.buf[:3]))
other.close()
memory.close()
memory.unlink()
