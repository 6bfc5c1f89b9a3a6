import gc


class Thing:
    pass


thing = Thing()
print([item is globals() for item in gc.get_referrers(thing)])
print(any(item is globals() for item in gc.get_objects()), gc.is_tracked(globals()))
