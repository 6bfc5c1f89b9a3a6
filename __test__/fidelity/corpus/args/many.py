#: args ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"]
import sys

print(len(sys.argv), sum(map(int, sys.argv[1:])), type(sys.argv), type(sys.argv[1]))
sys.argv.append("mine")
print(sys.argv[-1])
