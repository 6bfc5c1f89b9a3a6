import warnings

warnings.warn("registered")
print(sorted(key for key in __warningregistry__ if key != "version"))
