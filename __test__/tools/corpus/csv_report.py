"""Reads a table, and writes a report of it."""
import collections
import csv
import io
import tempfile

rows = [("north", 3, 4.5), ("south", 7, 1.25), ("north", 5, 2.0), ("east, far", 1, 9.75)]
with tempfile.TemporaryFile("w+", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["region", "count", "price"])
    writer.writerows(rows)
    file.seek(0)
    totals = collections.defaultdict(float)
    for row in csv.DictReader(file):
        totals[row["region"]] += int(row["count"]) * float(row["price"])
out = io.StringIO()
csv.writer(out).writerows(sorted(totals.items()))
print(out.getvalue())
