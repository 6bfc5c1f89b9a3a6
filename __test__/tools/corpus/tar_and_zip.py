"""Archives."""
import os
import tarfile
import tempfile
import zipfile

with tempfile.TemporaryDirectory() as folder:
    for name in ("a.txt", "b.txt"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(name * 1000)
    with zipfile.ZipFile(folder + "/z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder + "/a.txt", "a.txt")
        archive.writestr("note", "hello")
    with zipfile.ZipFile(folder + "/z.zip") as archive:
        print(archive.namelist(), archive.testzip(), len(archive.read("a.txt")))
    with tarfile.open(folder + "/t.tar.gz", "w:gz") as archive:
        archive.add(folder + "/b.txt", "b.txt")
    with tarfile.open(folder + "/t.tar.gz") as archive:
        print(archive.getnames(), len(archive.extractfile("b.txt").read()))
