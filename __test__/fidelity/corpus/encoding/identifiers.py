größe = 3
ℌ = 4
print(größe, H, sorted(name for name in globals() if not name.startswith("__")))
