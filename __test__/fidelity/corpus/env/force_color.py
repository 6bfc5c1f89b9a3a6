#: env {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
def f():
    return 1 / 0


f()
