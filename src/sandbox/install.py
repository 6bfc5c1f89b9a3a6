"""Installs packages, and writes them to stdout as a layer of an image (packages.rs runs it).

On stderr is a line of JSON for each step, {"step": words}, and in the end for what went wrong,
{"failed": "packages" | "index" | "image", "why": words}.
"""

import base64
import compileall
import glob
import html
import importlib.util
import io
import json
import os
import re
import site
import subprocess
import sys
import sysconfig
import tarfile
import urllib.error
import urllib.parse
import urllib.request

PLACE, WANTED = sys.argv[1], json.loads(sys.argv[2])
PACKAGES = os.path.join(PLACE, "packages")
TEMPORARY = os.path.join(PLACE, "tmp")
INDEX = urllib.parse.urlsplit(WANTED["indexUrl"])
# Lines of pip's that tell how far it is.
STEPS = ("Collecting ", "Downloading ", "Installing collected packages")
# Runs pip of a folder or a wheel; of the image where none is named. Before Python 3.10 it asks distutils where files
# go, which not every image has.
RUN = """
import runpy, sys, sysconfig
place = sys.argv.pop(1)
sys.path[:1] = [place] if place else []
if sys.version_info < (3, 10):
    sysconfig._PIP_USE_SYSCONFIG = True
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
# Looked up behind the library and before what the image has, so that what was asked for goes before that.
FINDER = (
    "import site, sys; n = len(sys.path); site.addsitedir({packages!r}); new = sys.path[n:]; del sys.path[n:]; "
    "at = sys.path.index({beside!r}) if {beside!r} in sys.path else n; sys.path[at:at] = new\n"
)


class Failure(Exception):
    """Of a kind, in words."""


def tell(**what):
    sys.stderr.write(json.dumps(what) + "\n")
    sys.stderr.flush()


def here():
    return "Python {}.{} on {}".format(*sys.version_info[:2], sysconfig.get_platform())


def read(url):
    """What the index answers, and where that is."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))
    if "@" in INDEX.netloc and parts.netloc.rpartition("@")[2] == INDEX.netloc.rpartition("@")[2]:
        user = ":".join(urllib.parse.unquote(part or "") for part in (INDEX.username, INDEX.password))
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read(), answer.geturl()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None, url
        if error.code in (401, 403):
            raise Failure("index", "it answered with {}: {}".format(error.code, words_of(error)))
        raise Failure("index", "it answered with {} {}".format(error.code, error.reason))
    except (OSError, ValueError) as error:
        raise Failure("index", "it can't be reached: {}".format(getattr(error, "reason", error)))


def words_of(error):
    said = error.read(300).decode("utf-8", "replace").strip()
    return said if said and "<" not in said else "it wants other credentials"


def files_of(name):
    """The files of a package in the index: name, address, which Python it takes. None: there is no such package."""
    normal = re.sub(r"[-_.]+", "-", name).lower()
    page, base = read(WANTED["indexUrl"].rstrip("/") + "/" + normal + "/")
    if page is None:
        return None
    files = []
    for attributes, text in re.findall(r"<a\s([^>]*)>([^<]*)</a>", page.decode("utf-8", "replace"), re.I):
        found = {key.lower(): html.unescape(value) for key, _, value in re.findall(r"([\w-]+)\s*=\s*([\"'])(.*?)\2", attributes)}
        if "href" in found:
            files.append((html.unescape(text).strip(), urllib.parse.urljoin(base, found["href"]), found.get("data-requires-python", "")))
    return files


def pip():
    """Where pip is; "": in the image. One without it gets it: from its own library, or from the index."""
    if importlib.util.find_spec("pip"):
        return ""
    if importlib.util.find_spec("ensurepip"):
        import ensurepip

        bundled = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
        if bundled:
            return bundled[0]
    wheels = []
    for name, address, python in files_of("pip") or []:
        version = re.match(r"pip-(\d+(?:\.\d+)*)-py(?:2\.py)?3-none-any\.whl$", name)
        least = re.search(r">=\s*3\.(\d+)", python)
        if version and (not least or sys.version_info >= (3, int(least.group(1)))):
            wheels.append(([int(part) for part in version.group(1).split(".")], name, address))
    if not wheels:
        raise Failure("image", "the image has no pip, and the index has none for {}".format(here()))
    _, name, address = max(wheels)
    tell(step="Downloading " + name)
    wheel = os.path.join(TEMPORARY, name)
    data, _ = read(address)
    with open(wheel, "wb") as file:
        file.write(data or b"")
    return wheel


def install():
    requirements = os.path.join(TEMPORARY, "requirements.txt")
    with open(requirements, "w", encoding="utf-8") as file:
        file.write("\n".join(WANTED["requirements"]) + "\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") or name == "PIP_CERT"}
    env.update(PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=WANTED["indexUrl"], TMPDIR=TEMPORARY, PYTHONUTF8="1")
    command = [sys.executable, "-c", RUN, pip(), "install", "--target", PACKAGES, "--requirement", requirements]
    command += ["--no-cache-dir", "--no-compile", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--retries", "2"]
    if WANTED["onlyBinary"]:
        command += ["--only-binary", ":all:"]
    if INDEX.scheme == "http":
        command += ["--trusted-host", INDEX.netloc.rpartition("@")[2]]
    said = []
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            line = line.decode("utf-8", "replace").rstrip()
            said.append(line)
            if line.strip().startswith(STEPS):
                tell(step=re.sub(r" \(from .*", "", line.strip())[:200])
    if running.returncode:
        raise diagnosis(said)
    tell(step="Compiling")
    # What is of another Python's grammar is no worse off than with pip.
    compileall.compile_dir(PACKAGES, quiet=2, workers=WANTED["processors"])


def diagnosis(said):
    """Why pip failed, of what it said."""
    text = "\n".join(said)

    def first(pattern):
        found = re.search(pattern, text, re.M)
        return found and found.group(1).strip()

    if "DO NOT MATCH THE HASHES" in text:
        # Behind the words, file by file.
        name = first(r"DO NOT MATCH THE HASHES(?:.*\n)*?\s+(\S+?)(?:[=<>~!;,[].*)? from ") or first(r"^\s+(\S+) from ")
        return Failure("packages", "{}: what the index has does not match its hash".format(name or "a package"))
    if "Hashes are required in --require-hashes mode" in text or "In --require-hashes mode" in text:
        name = first(r"(?:are missing|pinned).*\n(?:.*#.*\n)*\s+(\S+?)(?:[=<>~!;,[ ].*)?$")
        return Failure("packages", "{}: where one requirement has a hash, all take one and a version by ==".format(name or "a package"))
    conflict = first(r"^ERROR: (Cannot install .*)") if "ResolutionImpossible" in text else None
    if conflict:
        return Failure("packages", conflict.rstrip("."))
    wanted = first(r"No matching distribution found for (.+)")
    if wanted:
        return missing(wanted, text)
    if "No space left on device" in text or "MemoryError" in text:
        return Failure("packages", "they take more room than there is for installing")
    broken = first(r"(?:Failed building wheel for|Failed to build) '?([^\s']+)'?")
    if broken:
        return Failure("packages", "{}: it has no wheel for {}, and building it failed: {}".format(broken, here(), first(r"^\s*(?:error|ERROR): (.*)") or "see its page"))
    invalid = first(r"(Invalid requirement: .*)")
    if invalid:
        return Failure("packages", invalid)
    errors = [line for line in said if line.startswith("ERROR")]
    return Failure("packages", "pip failed: {}".format((errors or said or ["without a word"])[-1].replace("ERROR: ", "")))


def missing(wanted, text):
    """Why there is no file for a requirement, of what the index has."""
    name = re.match(r"[\w.-]+", wanted).group()
    wanted = re.sub(r" \(from .*", "", wanted)
    try:
        files = files_of(name)
    except Failure as failure:
        return failure
    if files is None:
        return Failure("packages", "{}: the index has no such package".format(name))
    names = [file for file, _, _ in files]
    exact = re.search(r"==\s*([\w.]+)(?:\s|;|$)", wanted)
    if exact:
        own = re.compile(r"-" + re.escape(exact.group(1)) + r"(-|\.tar|\.zip)")
        names = [file for file in names if own.search(file)] or names
    ignored = re.findall(r"(\S+) Requires-Python ([^;\n]+)", text)
    if ignored:
        version, python = ignored[-1]
        return Failure("packages", "{}: it does not fit {}; {} takes Python {}".format(wanted, here(), version, python.strip()))
    versions = re.search(r"\(from versions: (.*?)\)", text)
    others = versions.group(1) if versions and versions.group(1) != "none" else ""
    fit = [file for file in names if not file.endswith((".whl", ".metadata"))]
    if fit and not (others and not exact) and not any(file.endswith(".whl") for file in names):
        return Failure("packages", "{}: it has no wheel, so it takes a compiler or a setup.py that runs; see onlyBinary".format(wanted))
    if others:
        return Failure("packages", "{}: no version fits; there are {}".format(wanted, ", ".join(others.split(", ")[-8:])))
    if names:
        return Failure("packages", "{}: it does not fit {}; there is {}".format(wanted, here(), names[-1]))
    return Failure("packages", "{}: the index has no file of it".format(wanted))


def entry(name, kind=tarfile.REGTYPE, mode=0o644, size=0):
    info = tarfile.TarInfo(name.lstrip("/"))
    info.type, info.mode, info.size = kind, mode, size
    return info


def anybodys(info):
    """Read by all, written by none but root."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    run = 0o111 if info.isdir() or info.mode & 0o100 else 0
    info.mode = (info.mode | 0o444 | run) & 0o755
    # Compiled files name the second of their source.
    info.mtime = int(info.mtime)
    return info


def write():
    tell(step="Packing")
    beside = next((folder for folder in site.getsitepackages() if folder in sys.path), sysconfig.get_paths()["purelib"])
    finder = FINDER.format(packages=PACKAGES, beside=beside).encode()
    # It goes no further than this machine, mostly: packing it takes longer than it would save.
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", bufsize=1 << 18, format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(entry(PLACE, tarfile.DIRTYPE, 0o755))
        tar.add(PACKAGES, PACKAGES.lstrip("/"), filter=anybodys)
        tar.addfile(entry(os.path.join(beside, "scientist-pool.pth"), size=len(finder)), io.BytesIO(finder))


def main():
    # Where the index is: a proxy leads to all of it, this machine's own names included.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ.pop(name, None)
    for folder in (PACKAGES, TEMPORARY):
        os.makedirs(folder, 0o755, exist_ok=True)
    os.umask(0o022)
    try:
        install()
        write()
    except Failure as failure:
        kind, why = failure.args
        tell(failed=kind, why=why)
        return 1
    except OSError as error:
        tell(failed="image", why="{}: {}".format(type(error).__name__, error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
