import codecs
import locale
import sys

print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
print(locale.getpreferredencoding(False), codecs.lookup("locale" if False else "utf8").name)
with open("encoding_default.txt", "w") as file:
    print(file.encoding, file.errors)
import os

os.remove("encoding_default.txt")
