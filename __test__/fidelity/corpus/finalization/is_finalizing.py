import sys


class Late:
    def __del__(self, sys=sys):
        print(sys.is_finalizing())


late = Late()
print(sys.is_finalizing())
