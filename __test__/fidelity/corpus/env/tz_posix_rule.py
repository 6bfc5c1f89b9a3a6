#: env {"TZ": "XYZ-5:30"}
import datetime
import time

print(time.tzname, time.timezone, time.localtime(0)[:5])
print(datetime.datetime.fromtimestamp(0).isoformat(), datetime.datetime.fromtimestamp(0).astimezone().tzname())
