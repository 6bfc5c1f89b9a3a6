import codecs
import copyreg

print(codecs.lookup("utf-8").name, codecs.lookup("latin-1").name, complex in copyreg.dispatch_table)
