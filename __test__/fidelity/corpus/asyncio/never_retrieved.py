import asyncio
import gc


async def fails():
    raise ValueError("never retrieved")


async def main():
    task = asyncio.ensure_future(fails())
    task.set_name("mine") if hasattr(task, "set_name") else None
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: print(context["message"], repr(context["exception"]))
    )
    del task
    gc.collect()


asyncio.run(main())
