import multiprocessing
import sys

print(multiprocessing.get_start_method(), multiprocessing.get_all_start_methods())
print(multiprocessing.current_process(), multiprocessing.parent_process())
print(multiprocessing.spawn.get_executable() == sys.executable if hasattr(multiprocessing, "spawn") else "")
print(multiprocessing.active_children(), multiprocessing.cpu_count() > 0)
