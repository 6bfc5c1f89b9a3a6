#: env {"LANGUAGE": "de", "NO_COLOR": "1", "TERM": "dumb"}
import gettext
import os

print(os.environ["LANGUAGE"], gettext.gettext("hello"))
1 / 0
