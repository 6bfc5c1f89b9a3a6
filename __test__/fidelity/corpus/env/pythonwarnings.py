#: env {"PYTHONWARNINGS": "error"}
#: cold true
import sys
import warnings

print(sys.warnoptions)
warnings.warn("now an error")
