import sys


class Late:
    def __del__(self):
        try:
            print("x")
        except ValueError as error:
            sys.stderr.write("%s\n" % error)


late = Late()
sys.stdout.close()
