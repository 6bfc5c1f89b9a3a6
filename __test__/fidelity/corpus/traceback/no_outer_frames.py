import inspect
import sys

frame = sys._getframe()
print(frame.f_back, frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno)
print(frame.f_globals is globals(), frame.f_locals is globals() or frame.f_locals == globals())
print(len(inspect.stack()), inspect.stack()[0].filename, inspect.stack()[0].code_context)
