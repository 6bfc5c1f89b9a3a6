#: env {"MALLOC_ARENA_MAX": "1", "MALLOC_PERTURB_": "165"}
#: cold true
import os

print(os.environ["MALLOC_ARENA_MAX"], bytes(bytearray(3)))
