import os
import signal

try:
    with open("big.bin", "wb") as file:
        for _ in range(70):
            file.write(bytes(1 << 20))
except OSError as error:
    print(error)
finally:
    os.remove("big.bin")
