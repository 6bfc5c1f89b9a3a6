def clean_up():
    raise RuntimeError("clean-up failed")


try:
    int("x")
except ValueError:
    clean_up()
