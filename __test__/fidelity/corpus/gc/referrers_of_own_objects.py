import gc


class Thing:
    pass


thing = Thing()
holder = [thing]
print([item is holder for item in gc.get_referrers(thing) if isinstance(item, list)])
print(any(item is holder for item in gc.get_objects()), gc.is_tracked(holder))
