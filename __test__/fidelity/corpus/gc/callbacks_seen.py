import gc

seen = []
gc.callbacks.append(lambda phase, info: seen.append((phase, info["generation"])))
gc.collect()
gc.callbacks.clear()
print(seen)
