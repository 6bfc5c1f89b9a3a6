import importlib
import importlib.util
import xml.dom.minidom

print(xml.dom.minidom.parseString("<a b='1'/>").toxml(), importlib.import_module("email.mime.text").__name__)
print(importlib.util.find_spec("json").origin, importlib.util.find_spec("surely_not_there"))
