import weakref


class Thing:
    pass


thing = Thing()
other = Thing()
weakref.finalize(thing, print, "thing finalized")
weakref.finalize(other, print, "other finalized")
del other
print("end")
