#: mask ["0x[0-9a-f]+"]
import faulthandler
import os
import signal

faulthandler.register(signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
print("after", faulthandler.unregister(signal.SIGUSR1))
