import copy

nested = []
for _ in range(5_000):
    nested = [nested]
for action in (copy.deepcopy, lambda x: x == [nested], hash):
    try:
        action(nested)
        print("fine")
    except (RecursionError, TypeError) as error:
        print(type(error).__name__)
