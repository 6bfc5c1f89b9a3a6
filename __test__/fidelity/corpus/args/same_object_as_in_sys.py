#: args ["x"]
import sys
from sys import argv

print(argv is sys.argv, argv)
