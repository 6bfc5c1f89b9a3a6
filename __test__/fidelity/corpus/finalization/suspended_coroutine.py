async def coroutine():
    try:
        await Never()
    finally:
        print("coroutine left")


class Never:
    def __await__(self):
        yield 1


running = coroutine()
running.send(None)
