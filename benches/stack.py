#!/usr/bin/env python3
"""Measures nginx and PostgreSQL from Debian packages on a near mirror, until both serve.

    cargo build --release && python3 benches/stack.py [--program PROGRAM] [--user NAME] [-n TIMES]

The mirror is a folder on loopback: what is asked for the first time comes from the first archive of the machine's apt sources, and a
first run, which is not counted, asks for everything. Each run goes into a prefix of its own and nothing is removed meanwhile: ext4
passes over inodes that were freed a moment ago one by one. As root the program runs as another user, since both servers refuse root.
No number is asserted: a person reads the table.
"""

import argparse
import http.server
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

PROJECT = """name = "stack"
[parts.web]
recipe    = "nginx"
locations = { "/" = "pages" }
[parts.db]
recipe    = "postgresql"
"""


def mirror(folder):
    """A handler that serves a folder, and fetches into it what is not there."""
    asked = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
                           capture_output=True, text=True, check=True).stdout.split("\n")
    pairs = [line.split() for line in asked if line.strip()]
    upstream = pairs[0][0]
    suites = sorted({suite for address, suite in pairs if address == upstream})

    class Mirror(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words):
            pass

        def do_GET(self):
            path = folder / self.path.strip("/")
            status, body = 200, b""
            if self.path.endswith("/"):
                pass
            elif path.is_file():
                body = path.read_bytes()
            else:
                try:
                    with urllib.request.urlopen(upstream + self.path.lstrip("/")) as answer:
                        body = answer.read()
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(body)
                except urllib.error.HTTPError as error:
                    status = error.code
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

    return Mirror, suites


class Bench:
    def __init__(self, root, program, user):
        self.root, self.program, self.number = root, program, 0
        self.ids = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        self.home, self.project = root / "home", root / "project"
        self.env = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
        self.env.update(HOME=str(self.home), USER=user.pw_name, LOGNAME=user.pw_name)
        (self.home / ".config/jove").mkdir(parents=True)
        (self.project / "pages").mkdir(parents=True)
        (self.project / "pages/index.html").write_text("served\n")
        (self.project / "jove.toml").write_text(PROJECT)
        handler, suites = mirror(root / "mirror")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self.server.server_port}/"
        settings = f"[sources]\norder = ['deb']\n[sources.debian]\naddress = '{address}'\nsuites = {json.dumps(suites)}\n"
        (self.home / ".config/jove/config.toml").write_text(settings)
        if self.ids:
            for path in [root, *root.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid)

    def run(self, *words):
        command = [self.program, "-C", self.project, "--prefix", self.home / f"p{self.number}", *words]
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, **self.ids)
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return done.stdout

    def answers(self):
        """Both, to a client of their own."""
        services = json.loads(self.run("status", "--json"))["services"]
        address = next(url for service in services for url in service.get("urls", []) if url.startswith("http"))
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == b"served\n"
        sockets = f"--host={self.home}/p{self.number}/run/db"
        said = self.run("run", "db", "--", "psql", sockets, "--username=app", "--tuples-only", "--command=select 40 + 2", "app")
        assert said.strip() == "42", said

    def installs(self, times, prepare):
        """The seconds of the median install into a new prefix, and those of processors in it; each server answers then."""
        taken = []
        for _ in range(times):
            self.number += 1
            prepare()
            os.sync()
            taken.append(self.timed("install", "--quiet"))
            self.answers()
            self.idle = self.timed("install", "--quiet")
            self.run("stop")
        return sorted(taken)[len(taken) // 2]

    def timed(self, *words):
        """Seconds, and those of processors in the program and what it waits for."""
        worked = lambda: sum(os.times()[2:4])
        begin, before = time.perf_counter(), worked()
        self.run(*words)
        return time.perf_counter() - begin, worked() - before

    def forget(self):
        """Nothing is cached or locked."""
        cache = self.home / ".cache"
        if cache.exists():
            cache.rename(self.root / f"cache-{self.number}")
        (self.project / "jove.lock").unlink(missing_ok=True)


def row(what, seconds, goal):
    print(f"{what:<44}{seconds[0]:8.2f} s{seconds[1]:8.2f} s   {goal}", flush=True)


def clear_sealed(folder):
    """Objects are read-only."""
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o755)
    shutil.rmtree(folder)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=pathlib.Path, default=HERE.parent / "target/release/jove-install")
    arguments.add_argument("--user", default="nobody", help="who runs the program, if this is run as root")
    arguments.add_argument("-n", type=int, default=3, help="runs of each")
    given = arguments.parse_args()
    user = pwd.getpwnam(given.user) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    root = pathlib.Path(tempfile.mkdtemp(prefix="jove-stack-"))
    try:
        bench = Bench(root, given.program.resolve(), user)
        bench.installs(1, bench.forget)
        print(f"{'nginx and PostgreSQL, to serving':<44}{'median':>10}{'processors':>12}   goal")
        row("nothing cached, the mirror on loopback", bench.installs(given.n, bench.forget), "≤ 15 s")
        row("the same, locked and all packages cached", bench.installs(given.n, lambda: None), "≤ 3 s")
        row("nothing to do", bench.idle, "≤ 0.015 s")
    finally:
        clear_sealed(root)


main()
