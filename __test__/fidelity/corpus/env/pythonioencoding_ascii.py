#: env {"PYTHONIOENCODING": "ascii"}
#: cold true
print("plain")
print("é")
