import asyncio


async def step(n):
    await asyncio.sleep(0.01 * (3 - n))
    print("step", n)
    return n


async def main():
    print(await asyncio.gather(*(step(n) for n in range(3))))


asyncio.run(main())
