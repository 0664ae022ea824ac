"""Prints what jove-install must know about this interpreter, as JSON. Runs under any Python, also Python 2.

Run with -S, and with no import that can be done without: a plan waits for it, and what lies in the folders of packages (`.pth`
files) and the usual modules take longer than everything that is asked here.
"""
import os
import struct
import sys
import sysconfig

try:
    from _json import encode_basestring_ascii as quoted
except ImportError:
    from json import dumps as quoted


def wake_environment():
    """Does what -S left out where this is a virtual environment's: it alone says which interpreter is behind it."""
    import site
    folder = os.path.dirname(sys.executable or "")
    if any(os.path.exists(os.path.join(place, "pyvenv.cfg")) for place in (folder, os.path.dirname(folder))):
        site.main()
    else:
        # Where modules such as pip lie.
        sys.path.extend(getattr(site, "getsitepackages", list)())


def found(name):
    try:
        from importlib.machinery import PathFinder
        return PathFinder.find_spec(name) is not None
    except Exception:
        return False


def abi():
    """The second word of a wheel's tag for this very interpreter."""
    name = sys.implementation.name if hasattr(sys, "implementation") else "cpython"
    version = "%d%d" % sys.version_info[:2]
    if name == "cpython":
        flags = threads()
        if hasattr(sys, "gettotalrefcount"):
            flags += "d"
        if sys.version_info < (3, 8) and sysconfig.get_config_var("WITH_PYMALLOC") != 0:
            flags += "m"
        return "cp" + version + flags
    soabi = sysconfig.get_config_var("SOABI") or ""
    return soabi.replace("-", "_").replace(".", "_")


def threads():
    """The letter of builds without the global lock, which there are from 3.13 on."""
    return "t" if sys.version_info >= (3, 13) and sysconfig.get_config_var("Py_GIL_DISABLED") else ""


def purelib():
    """Where an environment keeps its packages, relative to it."""
    pattern = sysconfig.get_path("purelib", "posix_prefix", expand=False) or ""
    names = {"base": "", "py_version_short": "%d.%d" % sys.version_info[:2], "abi_thread": threads(),
             "implementation_lower": impl.replace("cpython", "python")}
    try:
        return pattern.format(**names)
    except KeyError:
        # Reads all that the interpreter was built with, which takes a while.
        return sysconfig.get_path("purelib", "posix_prefix", {"base": "", "platbase": ""})


def libc():
    if not sys.platform.startswith("linux"):
        import platform
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
    name = os.uname()[4]
    if struct.calcsize("P") == 4:
        name = {"x86_64": "i686", "aarch64": "armv7l"}.get(name, name)
    return name


wake_environment()
base = getattr(sys, "base_prefix", sys.prefix)
program = getattr(sys, "_base_executable", None) if base != sys.prefix else sys.executable
impl = getattr(getattr(sys, "implementation", None), "name", "cpython")
answer = {
    "path": os.path.realpath(program or sys.executable or ""),
    "prefix": base,
    "version": "%d.%d.%d" % sys.version_info[:3] + {"final": "", "alpha": "a%d" % sys.version_info[4], "beta": "b%d" % sys.version_info[4], "candidate": "rc%d" % sys.version_info[4]}[sys.version_info[3]],
    "implementation": impl,
    "abi": abi() if sys.version_info[0] > 2 else "",
    "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
    "system": sys.platform,
    "machine": machine(),
    "libc": libc(),
    "purelib": purelib().lstrip("/"),
}
modules = {"has_" + name: found(name) for name in ("pip", "venv", "ensurepip")}
fields = ["%s: %s" % (quoted(name), quoted(answer[name])) for name in answer]
fields += ["%s: %s" % (quoted(name), "true" if modules[name] else "false") for name in modules]
print("{%s}" % ", ".join(fields))
