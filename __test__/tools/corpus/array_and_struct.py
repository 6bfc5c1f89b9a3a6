"""Binary records."""
import array
import struct

values = array.array("d", (n / 4 for n in range(1000)))
packed = struct.pack("<1000d", *values)
print(len(packed), sum(struct.unpack("<1000d", packed)))
