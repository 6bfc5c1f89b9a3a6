import threading

local = threading.local()
local.value = "main"
seen = []
timer = threading.Timer(0.01, lambda: seen.append(getattr(local, "value", "none")))
timer.start()
timer.join()
print(seen, local.value)
