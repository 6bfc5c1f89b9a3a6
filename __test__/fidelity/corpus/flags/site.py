import site
import sys

print(site.ENABLE_USER_SITE, site.USER_SITE, site.USER_BASE, site.PREFIXES, site.getsitepackages())
print(sys.modules["site"] is site, "usercustomize" in sys.modules, "sitecustomize" in sys.modules)
