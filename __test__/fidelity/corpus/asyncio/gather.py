import asyncio


async def step(n, done):
    if n < 2:
        await done[n + 1].wait()
    await asyncio.sleep(0.01)
    print("step", n)
    done[n].set()
    return n


async def main():
    done = [asyncio.Event() for _ in range(3)]
    print(await asyncio.gather(*(step(n, done) for n in range(3))))


asyncio.run(main())
