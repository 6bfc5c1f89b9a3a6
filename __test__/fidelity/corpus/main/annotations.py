x: int = 3
y: "text"
print(globals().get("__annotations__", "lazy"))
import sys

print(sys.modules["__main__"].__annotations__)
