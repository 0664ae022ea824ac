#!/usr/bin/env python3
"""Measures conda channels against py-rattler, in one run, and prints ratios.

    cargo build --release && python3 benches/conda.py [--records FOLDER] [--program PROGRAM] [-n TIMES]

py-rattler, zstandard and msgpack are fetched from the configured package index into an environment of the bench's own. What is
installed is a channel that `jove-install pack` makes of a CPython and an nginx from Debian packages. What is solved are
real records (FOLDER/linux-64/repodata.json and so on; without them that part is left out), copied under other names until there
are 400,000, served on loopback whole (`repodata.json.zst`) and sharded. Each install goes into
folders of its own, and nothing is removed before the end: ext4 passes over inodes that were freed a moment ago one by one, which
both would pay for. No number is asserted: a person reads the table.
"""

import argparse
import hashlib
import http.server
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
WISHES = ["python 3.12.*", "numpy", "pandas", "requests", "pip"]

PEER = """
import asyncio, os, sys
import rattler

async def main(what, channel, cache, folder, *packages):
    platforms = [str(rattler.Subdir.current()), "noarch"]
    gateway = rattler.Gateway(cache_dir=cache)
    records = await rattler.solve([rattler.Channel(channel)], list(packages), platforms=platforms, gateway=gateway,
                                  virtual_packages=rattler.VirtualPackage.detect())
    if what == "install":
        await rattler.install(records, target_prefix=folder, cache_dir=cache, show_progress=False)
    print(len(records), flush=True)
    # Its threads sometimes fall over each other when Python ends in good order.
    os._exit(0)

asyncio.run(main(*sys.argv[1:]))
"""

MAKER = """name = "maker"
[parts.interpreter]
recipe = "packages"
provider = "deb"
deb = ["python3", "python3-pip"]
programs = ["python3"]
[parts.server]
recipe = "packages"
provider = "deb"
deb = ["nginx"]
deb_without = ["iproute2"]
programs = ["nginx"]
"""

# Runs inside the environment that has zstandard and msgpack: writes one platform of a channel, whole and sharded.
WRITER = """
import hashlib, json, pathlib, sys
import msgpack, zstandard

source, folder, sharded, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), int(sys.argv[4])
index = json.loads(source.read_text())
real = [(kind, file, record) for kind in ("packages", "packages.conda") for file, record in index.get(kind, {}).items()]
made, copy = {"packages": {}, "packages.conda": {}}, 0
while sum(map(len, made.values())) < max(count, len(real)):
    for kind, file, record in real:
        if copy:
            name = f"{record['name']}-x{copy}"
            record = dict(record, name=name)
            file = file.replace(file.rsplit("-", 2)[0], name, 1)
        made[kind][file] = record
    copy += 1
index.update(made)
pack = zstandard.ZstdCompressor(level=3)
for place in (folder, sharded):
    place.mkdir(parents=True, exist_ok=True)
text = json.dumps(index).encode()
(folder / "repodata.json").write_bytes(text)
(folder / "repodata.json.zst").write_bytes(pack.compress(text))
by_name = {}
for kind, files in made.items():
    for file, record in files.items():
        record = dict(record)
        for digest in ("sha256", "md5"):
            if digest in record:
                record[digest] = bytes.fromhex(record[digest])
        shard = by_name.setdefault(record["name"], {"packages": {}, "packages.conda": {}, "removed": []})
        shard[kind][file] = record
shards = {}
for name, shard in by_name.items():
    packed = pack.compress(msgpack.packb(shard))
    digest = hashlib.sha256(packed)
    (sharded / f"{digest.hexdigest()}.msgpack.zst").write_bytes(packed)
    shards[name] = digest.digest()
listing = {"info": {"subdir": index["info"]["subdir"], "base_url": "./", "shards_base_url": "./"}, "shards": shards}
(sharded / "repodata_shards.msgpack.zst").write_bytes(pack.compress(msgpack.packb(listing)))
print(sum(map(len, made.values())))
"""


class Files(http.server.SimpleHTTPRequestHandler):
    """Files with validators, as channels have them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        path = pathlib.Path(self.translate_path(self.path))
        if not path.is_file():
            return self.answer(404, b"", None)
        body = path.read_bytes()
        tag = '"%s"' % hashlib.blake2b(body, digest_size=16).hexdigest()
        same = self.headers.get("If-None-Match") == tag
        return self.answer(304, b"", tag) if same else self.answer(200, body, tag)

    do_HEAD = do_GET

    def answer(self, status, body, tag):
        self.send_response(status)
        if tag:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def run(command, env, cwd=None):
    """Seconds, those of processors in it, and the most memory of the process in MiB."""
    begin = time.perf_counter()
    child = subprocess.Popen(list(map(str, command)), env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    readers = [threading.Thread(target=lambda pipe=pipe: said.append(pipe.read())) for pipe in (child.stdout, child.stderr)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    taken = time.perf_counter() - begin
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed ({child.returncode}):\n{''.join(said)}")
    return taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def alternate(times, *pairs):
    """Medians of seconds and memory of several (prepare, command) pairs, run in turn so that the machine's noise meets all alike."""
    taken = [[] for _ in pairs]
    for _ in range(times):
        for series, (prepare, command) in zip(taken, pairs):
            prepare()
            series.append(command())
    return [tuple(statistics.median(column) for column in zip(*series)) for series in taken]


def row(what, ours, theirs, goal):
    one = lambda taken: f"{taken[0]:8.3f} s {taken[1]:7.3f} s {taken[2]:5.0f} MiB"
    print(f"{what:<44}{one(ours)}{one(theirs)}{ours[0] / theirs[0]:8.2f}{ours[1] / theirs[1]:8.2f}   {goal}", flush=True)


def clear(*folders):
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    def __init__(self, root, program, times):
        self.root, self.program, self.times = root, program, times
        keep = ("PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        prefixes = ("PIP_", "UV_", "http", "HTTP", "no_proxy", "NO_PROXY")
        self.env = {k: v for k, v in os.environ.items() if k in keep or k.startswith(prefixes)}
        self.env.update(HOME=str(root / "home"), PYTHONDONTWRITEBYTECODE="1")
        self.cache, self.theirs = root / "home/.cache/jove-install", root / "their-cache"
        (root / "home").mkdir()
        run([sys.executable, "-m", "venv", root / "peer"], self.env)
        self.python = root / "peer/bin/python"
        run([self.python, "-m", "pip", "install", "--quiet", "py-rattler", "zstandard", "msgpack"], self.env)
        (root / "peer.py").write_text(PEER)
        (root / "writer.py").write_text(WRITER)

    def project(self, name, parts):
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        (folder / "jove.toml").write_text(parts)
        return folder

    def ours(self, folder, *words, **more):
        return run([self.program, "-C", folder, "--quiet", *words], dict(self.env, **more))

    def peer(self, what, channel, folder, packages, cache=None):
        return run([self.python, self.root / "peer.py", what, channel, cache or self.theirs, folder, *packages], self.env)

    def solve(self, records):
        """Locks of real wishes on 400,000 records."""
        whole, sharded = self.root / "served/whole", self.root / "served/sharded"
        for subdir, count in (("linux-64", 400_000), ("noarch", 0)):
            run([self.python, self.root / "writer.py", records / subdir / "repodata.json", whole / subdir, sharded / subdir, count], self.env)
        handler = lambda *words: Files(*words, directory=str(self.root / "served"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for form in ("whole", "sharded"):
            channel = f"http://127.0.0.1:{server.server_port}/{form}"
            part = f"name = 'solve'\n[parts.tools]\nrecipe = 'packages'\nconda = {json.dumps(WISHES)}\nconda_channels = ['{channel}']\n"
            project = self.project(f"solve-{form}", part)
            lock = project / "jove.lock"
            mine = lambda: self.ours(project, "lock")
            their = lambda: self.peer("solve", channel, "-", WISHES)
            forget = lambda: lock.unlink(missing_ok=True)
            cold = lambda: (forget(), clear(self.cache / "repodata", self.cache / "resolutions", self.theirs))
            row(f"solve, 400,000 records, {form}, cold", *alternate(self.times, (cold, mine), (cold, their)), "≤ 1.0")
            row(f"the same, indexes cached", *alternate(self.times, (lambda: (forget(), clear(self.cache / "resolutions")), mine), (lambda: None, their)), "≤ 1.0")
        server.shutdown()

    def install(self):
        """Packages of a packed CPython and nginx, into a folder."""
        maker, channel = self.project("maker", MAKER), self.root / "channel"
        self.ours(maker, "pack", "interpreter", "server", "--channel", str(channel))
        clear(self.cache)
        names = ["interpreter", "server"]
        part = f"name = 'bench'\n[parts.tools]\nrecipe = 'packages'\nconda = {json.dumps(names)}\nconda_channels = ['{channel}']\n"
        project, made = self.project("install", part), itertools.count(1)
        lock, place = project / "jove.lock", lambda name: self.root / f"home/{name}-{next(made)}"
        forget = lambda: lock.unlink(missing_ok=True)
        last, theirs = place("ours"), place("theirs")

        def mine(cache):
            nonlocal last
            last = place("ours")
            return self.ours(project, "install", "--no-start", "--prefix", last, XDG_CACHE_HOME=str(cache))

        def their(cache, folder=None):
            return self.peer("install", f"file://{channel}", folder or place("theirs"), names, cache)

        nothing, own, other = lambda: None, place("cache"), place("cache")
        cold = (forget, lambda: mine(place("cache"))), (nothing, lambda: their(place("cache")))
        row("install, cold", *alternate(self.times, *cold), "≤ 1.0")
        mine(own), their(other, theirs)
        row("install, warm cache", *alternate(self.times, (forget, lambda: mine(own)), (nothing, lambda: their(other))), "≤ 1.2")
        idle = lambda: self.ours(project, "install", "--no-start", "--prefix", last, XDG_CACHE_HOME=str(own))
        row("nothing to do", *alternate(self.times, (nothing, idle), (nothing, lambda: their(other, theirs))), "≤ 1.0")


def clear_sealed(folder):
    """Objects are read-only."""
    if folder.exists():
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o755)
        shutil.rmtree(folder)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--records", type=pathlib.Path, help="a folder with repodata.json of linux-64 and noarch")
    arguments.add_argument("--program", type=pathlib.Path, default=HERE.parent / "target/release/jove-install")
    arguments.add_argument("-n", type=int, default=5, help="runs of each")
    given = arguments.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="jove-bench-"))
    try:
        bench = Bench(root, given.program.resolve(), given.n)
        print(f"{'':<44}{'jove-install, processors':>30}{'py-rattler, processors':>30}{'ratios':>16}   goal")
        bench.install()
        if given.records:
            bench.solve(given.records.resolve())
    finally:
        clear_sealed(root)


main()
