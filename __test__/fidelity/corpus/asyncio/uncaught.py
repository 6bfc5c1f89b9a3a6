import asyncio


async def inner():
    await asyncio.sleep(0)
    raise ValueError("in a task")


async def main():
    await inner()


asyncio.run(main(), debug=False)
