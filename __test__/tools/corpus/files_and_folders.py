"""Makes, finds, copies, moves and removes files."""
import glob
import os
import pathlib
import shutil
import stat
import tempfile

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for number in range(5):
        (folder / "a" / str(number)).mkdir(parents=True)
        (folder / "a" / str(number) / "file.txt").write_text("x" * number)
    shutil.copytree(folder / "a", folder / "b")
    os.rename(folder / "b" / "3", folder / "moved")
    os.symlink("moved", folder / "link")
    os.link(folder / "moved" / "file.txt", folder / "hard")
    os.chmod(folder / "hard", 0o640)
    print(sorted(path[len(name) :] for path in glob.glob(name + "/**/*.txt", recursive=True)))
    print(stat.filemode((folder / "hard").stat().st_mode), (folder / "hard").stat().st_nlink)
    print(shutil.which("sh") is not None, shutil.disk_usage(name).total > 0)
    shutil.rmtree(folder / "a")
    print(sorted(os.listdir(name)))
