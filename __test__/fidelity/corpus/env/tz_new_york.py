#: env {"TZ": "America/New_York"}
import time

print(time.tzname, time.timezone, time.daylight)
print(time.strftime("%c %Z", time.localtime(1700000000)))
