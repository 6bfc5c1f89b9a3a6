"""Objects copied and kept."""
import copy
import dataclasses
import pickle


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list)


points = [Point(3), Point(1, 2, ["a"])]
again = pickle.loads(pickle.dumps(points, protocol=5))
assert again == points == copy.deepcopy(points)
print(sorted(again), dataclasses.asdict(again[1]))
