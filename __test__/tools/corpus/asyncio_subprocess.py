"""Subprocesses under asyncio, side by side."""
import asyncio
import sys


async def square(number):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"print({number} ** 2)", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return int(output)


async def main():
    print(await asyncio.gather(*map(square, range(4))))


asyncio.run(main())
