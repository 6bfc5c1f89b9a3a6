"""A database in memory, with functions of its own and full text."""
import sqlite3

database = sqlite3.connect(":memory:")
database.create_function("reverse", 1, lambda text: text[::-1])
print(database.execute("select reverse('abc'), json_extract('{\"a\": [1, 2]}', '$.a[1]')").fetchall())
with_recursive = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20) select sum(i) from n"
print(database.execute(with_recursive).fetchall())
