import pkgutil

print(sorted(module.name for module in pkgutil.iter_modules(["/tmp"])))
print(len(pkgutil.get_data("json", "decoder.py")) > 1000)
