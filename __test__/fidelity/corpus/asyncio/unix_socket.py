import asyncio
import os


async def main():
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, "async.sock")
    reader, writer = await asyncio.open_unix_connection("async.sock")
    writer.write(b"hello\n")
    print(await reader.read())
    writer.close()
    server.close()
    os.path.exists("async.sock") and os.remove("async.sock")


asyncio.run(main())
