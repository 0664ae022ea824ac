# What mod_wsgi loads: the application that the option `app` names.
import importlib

module, _, name = {{ app | py }}.partition(":")
found = importlib.import_module(module)
for word in (name or "application").removesuffix("()").split("."):
    found = getattr(found, word)
application = found() if name.endswith("()") else found
