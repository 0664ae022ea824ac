#!/usr/bin/env python3
"""Measures the whole program against its peers, in one run, and prints ratios.

    cargo build --release && python3 benches/measure.py [path/to/jove-install]

It works in a home of its own below the system's temporary folder, which it removes, and fetches what it needs (PyWPS, uv,
zc.buildout) from the configured package index. b3sum is compared with if it is in PATH. No number is asserted: a person
reads the table. See benches/README.md for the goals.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "target/release/jove-install").resolve()


def clean(home):
    """The variables of every command: a home of its own, and what says how the network is reached."""
    keep = ("PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    prefixes = ("PIP_", "UV_", "http", "HTTP", "no_proxy", "NO_PROXY")
    variables = {k: v for k, v in os.environ.items() if k in keep or k.startswith(prefixes)}
    # The interpreter itself rather than a version manager's shim, which takes as long as a whole run of ours.
    path = f"{pathlib.Path(sys.executable).parent}:{variables['PATH']}"
    return {**variables, "PATH": path, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def run(command, env, **options):
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(command, env, **options):
    begin = time.perf_counter()
    run(command, env, **options)
    return time.perf_counter() - begin


def alternate(times, *pairs):
    """Medians of several (prepare, command) pairs, run in turn so that the machine's noise meets all alike."""
    taken = [[] for _ in pairs]
    for _ in range(times):
        for series, (prepare, command) in zip(taken, pairs):
            prepare()
            series.append(command())
    return [statistics.median(series) for series in taken]


def row(what, ours, theirs=None, goal=""):
    ratio = f"{ours / theirs:8.3f}" if theirs else " " * 8
    peer = f"{theirs * 1000:10.1f} ms" if theirs else " " * 13
    print(f"{what:58} {ours * 1000:10.1f} ms {peer} {ratio}   {goal}", flush=True)


def no_op(env, home):
    run([PROGRAM, "-p", "demo"], env)
    site = home / "buildout"
    for parts in (60, 600):
        folder = site / str(parts)
        folder.mkdir(parents=True)
        names = [f"p{number}" for number in range(parts)]
        text = "[buildout]\nparts =\n" + "".join(f"    {name}\n" for name in names)
        text += "offline = true\n" + "".join(f"[{name}]\nrecipe = zc.recipe.egg:scripts\neggs = zc.buildout\nscripts =\n" for name in names)
        (folder / "buildout.cfg").write_text(text)
    tools = home / "tools"
    run([sys.executable, "-m", "venv", tools], env)
    run([tools / "bin/python", "-m", "pip", "install", "-q", "zc.buildout", "zc.recipe.egg", "setuptools<80", "uv"], env)
    def ours():
        return seconds([PROGRAM, "-p", "demo"], env)
    for parts in (60, 600):
        folder = site / str(parts)
        run([tools / "bin/buildout"], env, cwd=folder)
        def theirs(folder=folder):
            return seconds([tools / "bin/buildout"], env, cwd=folder)
        fast, slow = alternate(7, (lambda: None, ours), (lambda: None, theirs))
        row(f"nothing to do, demo : zc.buildout with {parts} parts", fast, slow, "<= 15 ms, <= 0.05")
    return tools


def many_parts(env, home):
    for count in (1000, 10000):
        folder = home / f"many-{count}"
        folder.mkdir()
        (folder / "a.conf").write_text("value = {{ values.number }}\n")
        parts = ""
        for number in range(count):
            needs = f'values = {{ number = "${{p{number - 1}.name}}" }}' if number % 10 else "values = { number = 1 }"
            parts += f'[parts.p{number}]\nrecipe = "file"\nfiles = [{{ template = "a.conf", path = "a.conf" }}]\n{needs}\n'
        (folder / "jove.toml").write_text(f'name = "many{count}"\n{parts}')
        times = [seconds([PROGRAM, "plan", "-q"], env, cwd=folder) for _ in range(5)]
        row(f"plan of {count} parts, a thousand of them", statistics.median(times) / (count / 1000), goal="<= 60 ms")


def reinstall(env, home, tools):
    lock = home / "jove/demo/jove.lock"
    kept = home / "kept.lock"
    shutil.copy(lock, kept)
    pins = json.loads(run([tools / "bin/python", "-c", "import tomllib,json,sys;"
        "t=tomllib.load(open(sys.argv[1],'rb'));"
        "print(json.dumps([[p['name'],p['version']] for r in t['resolution'] for p in r['pin']]))", kept], env))
    requirements = home / "requirements.txt"
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in pins))
    # A fresh folder each time, and nothing removed meanwhile: ext4 looks long for an inode where many were freed lately.
    folders = (home / f"again-{number}" for number in itertools.count())
    uv = {**env, "UV_CACHE_DIR": str(home / "uv-cache")}
    compiled = []
    def uv_install(*more):
        venv = next(folders)
        begin = time.perf_counter()
        run([tools / "bin/uv", "venv", "-q", "--python", sys.executable, venv], uv)
        run([tools / "bin/uv", "pip", "install", "-q", "--link-mode", "copy", "--python", venv / "bin/python", "-r", requirements,
             *more], uv)
        return time.perf_counter() - begin
    uv_install()
    def ours():
        begin = time.perf_counter()
        said = subprocess.run([PROGRAM, "-p", "demo", "--prefix", next(folders), "install", "--no-start", "--offline", "-v"],
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
        took = time.perf_counter() - begin
        compiled.append(sum(map(float, re.findall(r"bytecode of \d+ packages took ([0-9.]+) s", said))))
        return took
    ours()
    compiled.clear()
    fast, slow, slower = alternate(7, (lambda: None, ours), (lambda: None, lambda: uv_install("--offline")),
                                   (lambda: None, lambda: uv_install("--offline", "--compile-bytecode")))
    row("demo again, warm cache, offline, but bytecode : uv (copy)", fast - statistics.median(compiled), slow, "<= 1.5")
    row("the same with bytecode : uv with --compile-bytecode", fast, slower)


def memory(home):
    """The highest resident memory of our own process while it installs the demo in an empty home."""
    cold = home / "cold"
    cold.mkdir()
    env = clean(cold)
    process = subprocess.Popen([PROGRAM, "-p", "demo", "install", "--no-start"], env=env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.005)
    if process.returncode:
        sys.exit("the demo was not installed")
    print(f"{'peak memory of an install with all downloads':58} {peak / 1024:10.1f} MB {'':13} {'':8}   <= 60 MB", flush=True)
    run([PROGRAM, "-p", "demo", "wipe", "--data", "--yes"], env)


def verify(env, home):
    run([PROGRAM, "-p", "demo", "install", "--no-start"], env)
    ours = lambda: seconds([PROGRAM, "-p", "demo", "verify"], env)
    if not shutil.which("b3sum"):
        row("verify of the demo", statistics.median(ours() for _ in range(5)))
        return
    files = home / "files"
    listed = [str(path) for path in (home / "jove/demo/store").rglob("*") if path.is_file() and not path.is_symlink()]
    files.write_text("\0".join(listed))
    theirs = lambda: seconds(["xargs", "-0", "-a", files, "b3sum"], env)
    fast, slow = alternate(7, (lambda: None, ours), (lambda: None, theirs))
    row("verify of the demo : b3sum of the same files", fast, slow, "<= 1.3")


def rollback(env):
    run([PROGRAM, "-p", "demo", "install", "--no-start", "--set", "wps.title=Other"], env)
    target = [1]
    def flip():
        numbers = sorted(entry["generation"] for entry in json.loads(run([PROGRAM, "-p", "demo", "history", "--json"], env)))
        current = [e["generation"] for e in json.loads(run([PROGRAM, "-p", "demo", "history", "--json"], env)) if e["current"]][0]
        target[0] = next(number for number in numbers if number != current)
    def ours():
        return seconds([PROGRAM, "-p", "demo", "rollback", str(target[0]), "--no-start"], env)
    def nothing():
        return seconds(["true"], env)
    fast, slow = alternate(7, (flip, ours), (lambda: None, nothing))
    row("rollback, nothing running : true", fast, slow, "<= 50 ms more")


def main():
    with tempfile.TemporaryDirectory(prefix="jove-measure-") as folder:
        home = pathlib.Path(folder)
        env = clean(home)
        print(f"{PROGRAM}: {PROGRAM.stat().st_size / 1e6:.1f} MB\n")
        print(f"{'ours : theirs':58} {'ours':>13} {'theirs':>13} {'ratio':>8}   goal")
        try:
            tools = no_op(env, home)
            many_parts(env, home)
            run([PROGRAM, "-p", "demo", "stop"], env)
            reinstall(env, home, tools)
            memory(home)
            verify(env, home)
            rollback(env)
        finally:
            subprocess.run([PROGRAM, "-p", "demo", "wipe", "--data", "--yes"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
