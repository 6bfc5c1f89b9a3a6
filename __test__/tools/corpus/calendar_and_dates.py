"""Dates, intervals and a calendar."""
import calendar
import datetime

day = datetime.datetime(2024, 2, 29, 13, 5, tzinfo=datetime.timezone.utc)
print(day.isoformat(), (day + datetime.timedelta(days=366)).strftime("%A %d %B %Y"))
print(calendar.month(2024, 2))
