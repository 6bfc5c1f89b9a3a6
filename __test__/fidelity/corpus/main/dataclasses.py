import dataclasses
import typing


@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: int
    y: "int" = 0
    z: typing.ClassVar[int] = 4


print(Point(1), Point(1) < Point(2), dataclasses.asdict(Point(3)), Point.__module__)
print(dataclasses.replace(Point(1), y=5), hash(Point(1)) == hash(Point(1)))
Point(1).x = 3
