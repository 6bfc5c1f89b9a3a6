"""A database in a file, with an index, a transaction and a join."""
import sqlite3
import tempfile

with tempfile.NamedTemporaryFile(suffix=".db") as file:
    with sqlite3.connect(file.name) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(
            "create table maker (id integer primary key, name text unique);"
            "create table part (maker int references maker, price real);"
            "create index by_maker on part (maker);"
        )
        database.executemany("insert into maker (name) values (?)", [("acme",), ("bolt",)])
        database.executemany("insert into part values (?, ?)", [(n % 2 + 1, n / 4) for n in range(100)])
        query = "select name, count(*), sum(price) from part join maker on id = maker group by name"
        print(database.execute(query).fetchall())
