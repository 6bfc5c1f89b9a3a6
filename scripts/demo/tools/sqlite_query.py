import csv
import io
import sqlite3


def execute(env, args):
    rows = list(csv.DictReader(io.StringIO(args["csv"])))
    names = list(rows[0])
    database = sqlite3.connect(":memory:")
    database.execute("create table data ({})".format(", ".join(names)))
    database.executemany(
        "insert into data values ({})".format(", ".join("?" * len(names))),
        [tuple(row.values()) for row in rows],
    )
    return database.execute(args["query"]).fetchall()
