import json
import weakref


class Thing:
    pass


thing = Thing()
ref = weakref.ref(thing, lambda r: print("gone"))
json.ref = weakref.ref(Thing, lambda r: print("class gone"))
print("end")
