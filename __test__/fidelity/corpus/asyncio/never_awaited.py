async def nothing():
    pass


nothing()
print("end")
