#!/usr/bin/env python3
"""Measures what people notice of a site in production: failed requests while it is updated, rolled back, renewed and hurt.

    cargo build --release && python3 benches/site.py [--requests N] [--only NAME] [path/to/jove-install]

It installs a small WSGI application with the profile `production` in a home of its own below the system's temporary folder, loads
it with wrk (PATH; as a Debian package: wrk) over TLS on kept connections, one request in some thousand taking two seconds, and lets
one event after the other happen meanwhile. What wrk counts: an answer of 400 or more (`status`), no connection (`connect`), a
connection that ended before its answer (`read`), none in 20 s (`timeout`). Nothing is asserted: a person reads the table.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

APPLICATION = """
import os, time
EDITION = "first"

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(2)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s edition, by %d\\n" % (EDITION, os.getpid())).encode()]
"""

PROJECT = """
name = "load"

[parts.env]
recipe = "python"
pypi   = []

[parts.app]
recipe     = "wsgi"
env        = "${env}"
app        = "app:application"
health     = "/"
static     = { "/static/" = "static" }
access_log = false
workers    = 2
workers_threads = 4
prepare    = ["migrate.py"]
compatible = true

[parts.web]
access_log = false
connections_per_client = 0
"""

MIGRATION = """
import os, time
with open(os.path.join(os.environ["JOVE_DATA"], "schema"), "a") as file:
    file.write("one more\\n")
"""

# Every connection asks for pages, now and then for a file, and rarely for what takes two seconds.
MIX = """
local number = 0
function request()
  number = number + 1
  if number % 4000 == 7 then return wrk.format("GET", "/slow") end
  if number % 4 == 0 then return wrk.format("GET", "/static/page.css") end
  return wrk.format("GET", "/")
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50":%f,"p99":%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""

FAILURES = ("connect", "read", "write", "status", "timeout")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=HERE.parent / "target/release/jove-install", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=100_000, help="at least so many during each event")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", help="one event by name")
    return parser.parse_args()


class Site:
    """The installation, and the load on it."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.program = options.program.resolve()
        self.home = folder / "home"
        self.work = folder / "work"
        (self.work / "static").mkdir(parents=True)
        self.home.mkdir()
        (self.work / "app.py").write_text(APPLICATION)
        (self.work / "jove.toml").write_text(PROJECT)
        (self.work / "migrate.py").write_text(MIGRATION)
        (self.work / "static/page.css").write_text("body { color: teal }\n" * 20)
        (folder / "mix.lua").write_text(MIX)
        keep = ("PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        prefixes = ("PIP_", "UV_", "http", "HTTP", "no_proxy", "NO_PROXY")
        self.env = {k: v for k, v in os.environ.items() if k in keep or k.startswith(prefixes)}
        self.env["HOME"] = str(self.home)
        # As root nginx would hand its work to another user, who may not enter this one's folders: an ordinary one does it all.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            folder.chmod(0o755)
            for path in (self.home, self.work, *self.work.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    def jove(self, *command, expect=0):
        """Runs it in the project; what it prints."""
        done = subprocess.run(
            [str(self.program), *command, "-p", "production"], cwd=self.work, env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **self.user,
        )
        if done.returncode not in (expect if isinstance(expect, tuple) else (expect,)):
            sys.exit(f"{' '.join(command)} ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def service(self, name):
        """One service as `status` tells it."""
        return next(s for s in json.loads(self.jove("status", "--json", expect=(0, 1)))["services"] if s["name"] == name)

    def edit(self, file, text, other):
        path = self.work / file
        before = path.read_text()
        if text not in before:
            sys.exit(f"{file} does not hold {text}")
        path.write_text(before.replace(text, other))

    def load(self, seconds):
        """wrk against it for so long."""
        url = self.service("web")["urls"][0]
        command = ["wrk", "-t2", f"-c{self.options.connections}", f"-d{seconds}s", "--timeout=20s", "--latency",
                   f"-s{self.folder / 'mix.lua'}", url]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def during(self, event):
        """Repeats an event under load until enough requests were made; the sums of what wrk counted."""
        total = {"requests": 0, "seconds": 0.0, "times": 0, "p50": [], "p99": [], **dict.fromkeys(FAILURES, 0)}
        while total["requests"] < self.options.requests and total["times"] < 40:
            load = self.load(12)
            time.sleep(2)
            event()
            said, wrong = load.communicate()
            if load.returncode:
                sys.exit(f"wrk: {wrong}")
            counted = json.loads(said.strip().splitlines()[-1])
            for name in ("requests", "seconds", *FAILURES):
                total[name] += counted[name]
            total["p50"].append(counted["p50"])
            total["p99"].append(counted["p99"])
            total["times"] += 1
        return total


class Events:
    """What happens to the site, each under load."""

    def __init__(self, site):
        self.site, self.number, self.edition = site, 0, "first"

    def next(self):
        self.number += 1
        former, self.edition = self.edition, f"number{self.number}"
        self.site.edit("app.py", f'"{former}"', f'"{self.edition}"')

    def nothing(self):
        """only the load"""

    def update(self):
        """`update` to new code"""
        self.next()
        self.site.jove("update")

    def migration(self):
        """`update` with a compatible migration"""
        self.site.edit("migrate.py", "import os, time", f"import os, time  # {time.time()}\nimport os, time")
        self.next()
        self.site.jove("update")

    def import_fails(self):
        """`update` to code that cannot be loaded"""
        self.site.edit("app.py", "import os, time", "import os, time, nothing_of_that_name")
        self.site.jove("update", expect=1)
        self.site.edit("app.py", "import os, time, nothing_of_that_name", "import os, time")
        self.settle()

    def promise_fails(self):
        """`update` to code that fails at its first request"""
        self.site.edit("app.py", 'path = environ["PATH_INFO"]', 'path = environ["PATH_INFO"] + 1')
        self.site.jove("update", expect=1)
        self.site.edit("app.py", 'path = environ["PATH_INFO"] + 1', 'path = environ["PATH_INFO"]')
        self.settle()

    def settle(self):
        self.site.jove("update")

    def rollback(self):
        """`rollback`, and forward again"""
        self.site.jove("rollback")
        self.site.jove("install", "--release")

    def restart_application(self):
        """`restart app`"""
        self.site.jove("restart", "app")

    def restart_nginx(self):
        """`restart web`"""
        self.site.jove("restart", "web")

    def renew(self):
        """a new certificate, which nginx reads"""
        prefix = pathlib.Path(json.loads(self.site.jove("status", "--json"))["prefix"])
        (prefix / "var/web/tls/certificate.pem").unlink()
        self.site.jove("restart", "web-renew")

    def kill_worker(self):
        """kill -9 of a gunicorn worker"""
        os.kill(self.children("app")[0], signal.SIGKILL)

    def kill_master(self):
        """kill -9 of gunicorn"""
        os.kill(self.site.service("app")["pid"], signal.SIGKILL)

    def kill_nginx(self):
        """kill -9 of nginx"""
        os.kill(self.site.service("web")["pid"], signal.SIGKILL)

    def children(self, name):
        pid = self.site.service(name)["pid"]
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main():
    options = arguments()
    if not shutil.which("wrk"):
        sys.exit("wrk is not in PATH (as a Debian package: wrk)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jove-site-"))
    site = Site(folder, options)
    try:
        begin = time.perf_counter()
        site.jove("install")
        print(f"installed in {time.perf_counter() - begin:.1f} s: {site.service('web')['urls'][0]}", flush=True)
        events = Events(site)
        names = ["nothing", "update", "migration", "rollback", "import_fails", "promise_fails", "restart_application",
                 "restart_nginx", "renew", "kill_worker", "kill_master", "kill_nginx"]
        print(f"{'event':48} {'times':>5} {'requests':>9} {'/s':>7} {'p50 ms':>7} {'p99 ms':>7}  failed")
        for name in names:
            if options.only not in (None, name):
                continue
            event = getattr(events, name)
            counted = site.during(event)
            failed = ", ".join(f"{counted[kind]} {kind}" for kind in FAILURES if counted[kind]) or "0"
            print(f"{event.__doc__:48} {counted['times']:5} {counted['requests']:9} {counted['requests'] / counted['seconds']:7.0f} "
                  f"{statistics.median(counted['p50']):7.1f} {statistics.median(counted['p99']):7.1f}  {failed}", flush=True)
    finally:
        subprocess.run([str(site.program), "wipe", "--data", "--yes", "-p", "production"], cwd=site.work, env=site.env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **site.user)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
