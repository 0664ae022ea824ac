"""Prints what jove-install must know about this interpreter, as JSON. Runs under any Python, also Python 2."""
import json
import os
import platform
import struct
import sys
import sysconfig


def found(name):
    try:
        from importlib.util import find_spec
        return find_spec(name) is not None
    except Exception:
        return False


def abi():
    """The second word of a wheel's tag for this very interpreter."""
    name = sys.implementation.name if hasattr(sys, "implementation") else "cpython"
    version = "%d%d" % sys.version_info[:2]
    if name == "cpython":
        flags = ""
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            flags += "t"
        if sysconfig.get_config_var("Py_DEBUG"):
            flags += "d"
        if sys.version_info < (3, 8) and sysconfig.get_config_var("WITH_PYMALLOC") != 0:
            flags += "m"
        return "cp" + version + flags
    soabi = sysconfig.get_config_var("SOABI") or ""
    return soabi.replace("-", "_").replace(".", "_")


def libc():
    if not sys.platform.startswith("linux"):
        return platform.mac_ver()[0] if sys.platform == "darwin" else ""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION")
        if text:
            return text
    except (AttributeError, OSError, ValueError):
        pass
    # No glibc: musl names itself when its loader is run without arguments.
    try:
        import re
        import subprocess
        with open(sys.executable, "rb") as f:
            loader = re.search(br"/lib[^\0]*/ld-musl-[^\0]*", f.read(1 << 20))
        if loader:
            said = subprocess.Popen([loader.group().decode()], stderr=subprocess.PIPE).communicate()[1].decode()
            return "musl " + re.search(r"Version (\S+)", said).group(1)
    except Exception:
        pass
    return ""


def machine():
    # A 32-bit interpreter on a 64-bit kernel takes 32-bit wheels.
    name = platform.machine()
    if struct.calcsize("P") == 4:
        name = {"x86_64": "i686", "aarch64": "armv7l"}.get(name, name)
    return name


base = getattr(sys, "base_prefix", sys.prefix)
program = getattr(sys, "_base_executable", None) if base != sys.prefix else sys.executable
lib = sysconfig.get_path("purelib", "posix_prefix", {"base": "", "platbase": ""}) or ""
impl = getattr(getattr(sys, "implementation", None), "name", "cpython")
print(json.dumps({
    "path": os.path.realpath(program or sys.executable or ""),
    "prefix": base,
    "version": "%d.%d.%d" % sys.version_info[:3] + {"final": "", "alpha": "a%d" % sys.version_info[4], "beta": "b%d" % sys.version_info[4], "candidate": "rc%d" % sys.version_info[4]}[sys.version_info[3]],
    "implementation": impl,
    "abi": abi() if sys.version_info[0] > 2 else "",
    "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
    "system": sys.platform,
    "machine": machine(),
    "libc": libc(),
    "purelib": lib.lstrip("/"),
    "has_pip": found("pip"),
    "has_venv": found("venv"),
    "has_ensurepip": found("ensurepip"),
}))
