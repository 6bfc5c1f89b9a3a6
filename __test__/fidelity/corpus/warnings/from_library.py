import warnings

warnings.simplefilter("default")
import asyncio

try:
    asyncio.get_event_loop().close()
except RuntimeError as error:
    print(error)
warnings.warn_explicit("explicit", UserWarning, "some_file.py", 12)
