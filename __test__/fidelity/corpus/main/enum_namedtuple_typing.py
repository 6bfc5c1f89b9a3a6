import collections
import enum
import typing


class Color(enum.Enum):
    RED = 1


Pair = collections.namedtuple("Pair", "a b")


class Typed(typing.NamedTuple):
    a: int


class Maybe(typing.TypedDict):
    a: "Color"


print(Color.RED, repr(Color.RED), Color.__module__, Pair.__module__, Pair(1, 2), Typed(1))
print(typing.get_type_hints(Maybe), Maybe.__module__)
