import gc
import weakref


class Key:
    pass


keys = weakref.WeakKeyDictionary()
key = Key()
keys[key] = 1
print(len(keys))
del key
gc.collect()
print(len(keys))
