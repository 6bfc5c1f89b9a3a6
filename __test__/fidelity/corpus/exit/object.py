class Status:
    def __str__(self):
        return "my status"


raise SystemExit(Status())
