class Base:
    pass


class One(Base):
    pass


class Two(Base):
    pass


print(Base.__subclasses__(), One.__mro__)
del One
import gc

gc.collect()
print([sub.__name__ for sub in Base.__subclasses__()])
