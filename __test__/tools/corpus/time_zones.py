"""Time zones by the C library."""
import os
import time

for zone in ("UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0"):
    os.environ["TZ"] = zone
    time.tzset()
    print(time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(1_720_000_000)))
