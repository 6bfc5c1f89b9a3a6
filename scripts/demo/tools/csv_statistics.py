import csv
import io
import statistics


def execute(env, args):
    rows = list(csv.DictReader(io.StringIO(args["csv"])))
    values = [float(row[args["column"]]) for row in rows]
    env["rows"] = len(rows)
    return {
        "mean": round(statistics.mean(values), 3),
        "median": round(statistics.median(values), 3),
        "stdev": round(statistics.stdev(values), 3),
        "largest": max(rows, key=lambda row: float(row[args["column"]]))["name"],
    }
