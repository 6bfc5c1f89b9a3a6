import warnings


def show(message, category, filename, lineno, file=None, line=None):
    print(message, category.__name__, filename, lineno, line)


warnings.showwarning = show
warnings.warn("shown by hand")
print(warnings.formatwarning("m", UserWarning, "<stdin>", 3))
