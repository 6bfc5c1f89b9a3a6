"""Settings from a file in /tmp."""
import configparser
import tempfile

with tempfile.NamedTemporaryFile("w+", suffix=".ini") as file:
    file.write("[server]\nport = 8080\ndebug = yes\n[paths]\nhome = /srv/%(name)s\nname = app\n")
    file.flush()
    settings = configparser.ConfigParser()
    settings.read(file.name)
print(settings.getint("server", "port"), settings.getboolean("server", "debug"), settings["paths"]["home"])
