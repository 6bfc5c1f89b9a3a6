import asyncio
import threading


async def main():
    loop = asyncio.get_running_loop()
    name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
    print(name.split("_")[0], await loop.run_in_executor(None, sum, [1, 2, 3]))


asyncio.run(main())
