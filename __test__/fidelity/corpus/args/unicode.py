#: args ["é", "☃", "😀", "a\nb", "\t", "'\"\\$`"]
import os
import sys

print(ascii(sys.argv), [os.fsencode(arg) for arg in sys.argv])
