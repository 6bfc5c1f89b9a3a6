import platform
import sysconfig

print(sorted(sysconfig.get_paths().items()), platform.python_implementation())
print(sysconfig.get_config_var("prefix"), sysconfig.is_python_build())
