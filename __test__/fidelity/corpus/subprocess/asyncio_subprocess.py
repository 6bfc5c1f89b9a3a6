import asyncio


async def main():
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "cat; echo err >&2; exit 5", stdin=-1, stdout=-1, stderr=-1
    )
    print(await process.communicate(b"fed"), process.returncode)


asyncio.run(main())
