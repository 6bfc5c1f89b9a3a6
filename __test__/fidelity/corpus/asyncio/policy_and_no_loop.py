import asyncio

print(asyncio._get_running_loop())
try:
    asyncio.get_running_loop()
except RuntimeError as error:
    print(error)
loop = asyncio.new_event_loop()
print(type(loop).__name__, loop.is_running())
loop.close()
