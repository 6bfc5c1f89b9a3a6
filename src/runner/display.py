"""What `display()`, the value of a last expression and figures come back as: MIME bundles, as Jupyter names them.

`tell.py` stands before this, and LIMIT: how many bytes of data may be told.
"""

import atexit
import builtins

METHODS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/latex", "_repr_latex_"),
    ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("application/pdf", "_repr_pdf_"),
    ("application/json", "_repr_json_"),
    ("application/javascript", "_repr_javascript_"),
)
TEXT = "text/plain"
PYPLOT = "matplotlib.pyplot"


def strings(items):
    return little(len(items)) + b"".join(little(len(item)) + item for item in items)


def is_json(kind):
    return kind == "application/json" or kind.endswith("+json")


def is_binary(kind):
    top = kind.partition("/")[0]
    return top in ("image", "audio", "video") and kind != "image/svg+xml" or kind == "application/pdf"


def encoded(kind, value):
    """As bytes; None: it is nothing of that type."""
    if is_json(kind) and not isinstance(value, (str, bytes)):
        import json

        value = json.dumps(value, allow_nan=False)
    if isinstance(value, str):
        if is_binary(kind):
            import binascii

            return binascii.a2b_base64(value)
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else None


def attempt(call, *args):
    """What it gives, and what it raised. Whatever that is, it is no end of the script, but for an interrupt."""
    try:
        return call(*args), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return None, error


def words(error):
    text, _ = attempt(str, error)
    return type(error).__name__ + (": " + text if text else "")


def of(thing, name):
    """What a method of its type gives; Jupyter lets it give metadata, too."""
    method, _ = attempt(getattr, type(thing), name, None)
    if method is None:
        return None
    value, _ = attempt(method, thing)
    return value[0] if isinstance(value, tuple) and len(value) == 2 else value


def is_figure(thing):
    figures = sys.modules.get("matplotlib.figure")
    figure = getattr(figures, "Figure", None)
    return figure is not None and isinstance(thing, figure)


def picture(figure):
    import io

    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def bundle(thing):
    """Type → data, the text first."""
    text, error = attempt(repr, thing)
    if error is not None:
        text = "<%s object; its repr() raised %s>" % (type(thing).__name__, words(error))
    found = {TEXT: text}
    if is_figure(thing):
        found["image/png"], error = attempt(picture, thing)
        if error is not None:
            found[TEXT] = "%s (no picture of it: %s)" % (text, words(error))
    own = of(thing, "_repr_mimebundle_")
    if isinstance(own, dict):
        found.update(own)
    for kind, name in METHODS:
        if found.get(kind) is None:
            found[kind] = of(thing, name)
    return found


class Display:
    def __init__(self, limit):
        self.begin(limit)
        # Of figures that have been shown, while they are open.
        self.figures = []

    def begin(self, limit):
        self.left = limit
        self.value = None

    def of(self, found):
        """The message of a bundle; None: there is nothing in it, or no more is taken."""
        if self.left < 0:
            return None
        kept, cut = [], []
        for kind, value in found.items():
            data = None
            if isinstance(kind, str) and value is not None:
                data, _ = attempt(encoded, kind, value)
            if data is None:
                continue
            name, size = kind.encode("utf-8", "replace"), len(data)
            if size > self.left:
                cut += name, b"%d" % size
                if kind != TEXT:
                    continue
                data = data[: self.left].decode("utf-8", "ignore").encode()
            self.left -= len(data)
            kept += name, data
        # Each counts for something itself: there may be any number of them.
        self.left -= 64
        if self.left < 0:
            cut += b"*", b"0"
        return strings(kept) + strings(cut) if kept or cut else None

    def tell(self, message):
        if message is not None:
            line.tell(b"d", message)

    def show(self, *things, raw=False, **options):
        for thing in things:
            self.tell(self.of(dict(thing) if raw else bundle(thing)))
            if is_figure(thing):
                self.figures.append(thing)

    def keep(self, value):
        """The value of the last expression, to be told behind all else."""
        if value is not None:
            self.value = bundle(value)
            if is_figure(value):
                self.figures.append(value)

    def show_figures(self):
        """Those that are open, but for those that have been shown. They are closed then, as in a notebook."""
        pyplot = sys.modules.get(PYPLOT)
        helpers = getattr(pyplot, "_pylab_helpers", None)
        if helpers is None:
            return
        managers = sorted(helpers.Gcf.get_all_fig_managers(), key=lambda manager: manager.num)
        for manager in managers:
            figure = manager.canvas.figure
            if not any(figure is shown for shown in self.figures):
                self.show(figure)
        if managers:
            pyplot.close("all")
        self.figures.clear()

    def finish(self):
        if line.fd is None:
            return
        attempt(self.show_figures)
        if self.value is not None:
            self.tell(self.of(self.value))
            self.value = None


class Finder:
    """Sees `matplotlib.pyplot` come, and has its `show()` show."""

    def find_spec(self, name, path=None, target=None):
        if name != PYPLOT:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if finder is not self and find is not None else None
            if spec is not None:
                load = spec.loader.exec_module
                spec.loader.exec_module = lambda module: (load(module), watch(module))
                return spec
        return None


def watch(pyplot):
    def shows(*args, **options):
        attempt(display.show_figures)

    shows.__name__, shows.__qualname__, shows.__doc__ = "show", "show", pyplot.show.__doc__
    pyplot.show = shows
    # Behind its own, which closes all of them: what is registered last is called first.
    atexit.register(shows)


def set_up(limit):
    os.environ.setdefault("MPLBACKEND", "Agg")
    if PYPLOT in sys.modules:
        watch(sys.modules[PYPLOT])
    else:
        sys.meta_path.insert(0, Finder())
    shown = Display(limit)

    def display(*things, raw=False, **options):
        """Shows things, as Jupyter's does. raw: they are bundles themselves, MIME type to data."""
        shown.show(*things, raw=raw)

    builtins.display = display
    return shown


display = set_up(LIMIT)
