class Status:
    def __str__(self):
        raise ValueError("no")


raise SystemExit(Status())
