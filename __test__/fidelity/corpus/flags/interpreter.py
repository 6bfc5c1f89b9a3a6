import sys

print(sys.version, sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.platlibdir)
print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.hash_info, sys.float_info, sys.int_info)
print(sys.gettrace(), sys.getprofile(), sys.byteorder, sys.maxsize, sys.platform, sys.abiflags)
