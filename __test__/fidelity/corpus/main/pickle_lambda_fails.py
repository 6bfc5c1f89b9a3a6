import pickle

print(pickle.dumps(len, 0))
try:
    pickle.dumps(lambda: 1)
except Exception as error:
    print(type(error).__name__, str(error).split(" at 0x")[0])
