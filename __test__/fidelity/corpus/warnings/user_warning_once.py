import warnings

for n in range(3):
    warnings.warn("again")
warnings.warn("other", UserWarning)
