"""Prints the packages that are in this interpreter's own folders, as JSON: what an environment on it may see without installing it."""
import json
import sys
from importlib import metadata

# The working folder is nobody's package.
sys.path = [folder for folder in sys.path if folder]
found = {}
for package in metadata.distributions():
    name, version = package.metadata["Name"], package.version
    # The first on the path is the one that is imported.
    if not name or not version or name.lower() in found:
        continue
    wanted = [line for line in package.requires or [] if "extra" in line.partition(";")[2]]
    scripts = [point for point in package.entry_points if point.group in ("console_scripts", "gui_scripts")]
    found[name.lower()] = {
        "name": name,
        "version": version,
        "extras": sorted(package.metadata.get_all("Provides-Extra") or []),
        "requires": wanted,
        "scripts": {point.name: point.value.partition("[")[0].strip() for point in scripts},
    }
print(json.dumps([found[name] for name in sorted(found)]))
