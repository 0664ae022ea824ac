#!/usr/bin/env python3
"""Measures what people notice of a site in production, and prints it as the tables of docs/production.md.

    cargo build --release && python3 benches/site.py [--suite sid] [--requests N] [--only PIECE] [path/to/jove-install] > table.md

It installs a small WSGI application with the profile `production` in homes of its own below the system's temporary folder, and
asks: how long it takes from nothing; how much memory it has; which requests fail while it is updated, rolled back, given code that
cannot run, restarted, renewed and killed; and how quick it is beside the same nginx and gunicorn configured by hand.

The load is wrk (in PATH; as a Debian package: wrk) and beside it `load.py`, each with half of the connections, over TLS, one request in
four thousand taking two seconds. What wrk counts: an answer of 400 or more (`status`), no connection (`connect`), a connection that
ended before its answer (`read`), none in 20 s (`timeout`). It cannot tell a kept connection that a server closes between two
requests from one that is cut; `load.py` can, and asks again as browsers do. Nothing is asserted: a person reads the tables.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from site_stack import Bench, ByHand, DatabaseSite, Failed, Site, answered

HERE = pathlib.Path(__file__).resolve().parent

# Every connection asks for pages, now and then for a file, and rarely for what takes two seconds.
MIX = """
local number = 0
function request()
  number = number + 1
  if number % 4000 == 7 then return wrk.format("GET", "/slow") end
  if number % 4 == 0 then return wrk.format("GET", "/static/page.css") end
  return wrk.format("GET", "/")
end
"""

DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50":%f,"p99":%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""

WRK = ("connect", "read", "write", "status", "timeout")
BROWSER = ("connect", "cut", "status", "timeout")
PIECES = ("begin", "memory", "events", "beside")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=HERE.parent / "target/release/jove-install", type=pathlib.Path)
    parser.add_argument("--suite", help="take Debian packages from this suite of the machine's archive, for a newer nginx")
    parser.add_argument("--requests", type=int, default=100_000, help="at least so many during each event")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is asked in turn")
    parser.add_argument("--only", action="append", default=[], help=f"{', '.join(PIECES)}, or an event by name; several may be given")
    return parser.parse_args()


class Events:
    """What happens to the site, each under load."""

    # Those that hurt are further apart than the time after which a service counts as well again (10 s): one that ends again sooner waits
    # longer each time, and is given up in the end.
    ALL = ("nothing", "update", "migration", "rollback", "import_fails", "promise_fails", "restart_application", "restart_nginx", "renew",
           "kill_worker", "kill_gunicorn", "kill_nginx_worker", "kill_nginx", "kill_supervisor", "kill_keeper", "kill_database")

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
        self.fails("import os, time", "import os, time, nothing_of_that_name")

    def promise_fails(self):
        """`update` to code that fails at its first request"""
        self.fails('path = environ["PATH_INFO"]', 'path = environ["PATH_INFO"] + 1')

    def fails(self, good, bad):
        self.site.edit("app.py", good, bad)
        self.site.jove("update", expect=(1,))
        self.site.edit("app.py", bad, good)
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
        (self.site.prefix / "var/web/tls/certificate.pem").unlink()
        self.site.jove("restart", "web-renew")

    def kill_worker(self):
        """kill -9 of a gunicorn worker"""
        os.kill(self.site.children("app")[0], signal.SIGKILL)

    def kill_gunicorn(self):
        """kill -9 of gunicorn"""
        os.kill(self.site.service("app")["pid"], signal.SIGKILL)

    def kill_nginx_worker(self):
        """kill -9 of an nginx worker"""
        os.kill(self.site.children("web")[0], signal.SIGKILL)

    def kill_nginx(self):
        """kill -9 of nginx"""
        os.kill(self.site.service("web")["pid"], signal.SIGKILL)

    def kill_supervisor(self):
        """kill -9 of the supervisor"""
        os.kill(self.site.own_process("supervisor"), signal.SIGKILL)

    def kill_keeper(self):
        """kill -9 of the keeper of processes"""
        os.kill(self.site.own_process("keeper"), signal.SIGKILL)

    def kill_database(self):
        """kill -9 of PostgreSQL, of which each page asks something"""
        service = next(service for service in self.site.status()["services"] if "postgresql" in service["name"] and service["pid"])
        os.kill(service["pid"], signal.SIGKILL)


class Load:
    """The load, half of it as browsers do."""

    def __init__(self, bench, options):
        self.bench, self.options, self.rate = bench, options, 0.0
        self.mix, self.same = bench.folder / "mix.lua", bench.folder / "same.lua"
        self.mix.write_text(MIX + DONE)
        self.same.write_text(DONE)

    def wrk(self, script, connections, seconds, url):
        command = ["wrk", "-t2", f"-c{connections}", f"-d{round(seconds)}s", "--timeout=20s", "--latency", f"-s{script}", url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def heard(self, process):
        said, wrong = process.communicate()
        if process.returncode:
            raise Failed(f"{process.args[0]} ended with {process.returncode}: {wrong}")
        return json.loads(said.strip().splitlines()[-1])

    def during(self, url, event, apart):
        """Repeats an event under load until enough requests were made; the sums of what was counted."""
        half, total = self.options.connections // 2, {"times": 0, "requests": 0, "again": 0, "wrk": {}, "browser": {}, "page": 0.0, "file": 0.0}
        for _ in range(8):
            left = self.options.requests * 1.05 - total["requests"]
            seconds = min(max(12.0, left / self.rate), 90.0) if self.rate else 12.0
            begun = time.perf_counter()
            wrk = self.wrk(self.mix, half, seconds, url)
            own = subprocess.Popen([sys.executable, str(HERE / "load.py"), f"--connections={half}", f"--seconds={seconds}", url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                longest = 0.0
                while (start := time.perf_counter()) + longest + 3 < begun + seconds:
                    time.sleep(min(2.0, apart))
                    event()
                    total["times"] += 1
                    time.sleep(max(0.0, apart - (time.perf_counter() - start)))
                    longest = time.perf_counter() - start
            finally:
                heard = {"wrk": self.heard(wrk), "browser": self.heard(own)}
            for who, kinds in (("wrk", WRK), ("browser", BROWSER)):
                total["requests"] += heard[who]["requests"]
                for kind in kinds:
                    total[who][kind] = total[who].get(kind, 0) + heard[who][kind]
            total["again"] += heard["browser"]["again"]
            for kind in ("page", "file"):
                total[kind] = max(total[kind], heard["browser"][f"{kind}_gap"])
            self.rate = total["requests"] / (total.get("seconds", 0.0) + seconds)
            total["seconds"] = total.get("seconds", 0.0) + seconds
            if total["requests"] >= self.options.requests:
                break
        return total


def shown(counts):
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "0"


def say(*cells):
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def head(*titles):
    print()
    say(*titles)
    print(f"|{'---|' * len(titles)}", flush=True)


def from_nothing(bench):
    """From the command to the first good answer, with all to download and with nothing."""
    head("From the command to the first good answer", "empty cache", "full cache")
    for title, project in (("the small application", True), ("the profile's example, a PyWPS service", False)):
        home, seen = bench.home(f"first-{int(project)}"), []
        for number in range(2):
            site = Site(bench, home, "production", bench.folder / f"work-{int(project)}" if project else None)
            begun = time.perf_counter()
            site.jove("install")
            seen.append(answered(site.url + ("" if project else "wps?service=WPS&request=GetCapabilities")) - begun)
            site.jove("wipe", "--data", "--yes")
        say(title, *(f"{seconds:.1f} s" for seconds in seen))


def memory(site):
    head("Memory of the idle site (PSS)", "processes", "MiB")
    kinds = site.memory()
    for kind, (count, size) in sorted(kinds.items()):
        say(kind, count, f"{size / 1024:.1f}")
    say("all", sum(count for count, _ in kinds.values()), f"{sum(size for _, size in kinds.values()) / 1024:.1f}")


def happenings(site, load, names):
    events = Events(site)
    for name in names:
        event = getattr(events, name)
        seen = load.during(site.url, event, 12.0 if name.startswith("kill") else 4.0)
        say(event.__doc__, seen["times"] if name != "nothing" else "", f"{seen['requests']:,}", f"{seen['requests'] / seen['seconds']:,.0f}",
            shown(seen["wrk"]), shown(seen["browser"]), seen["again"], f"{seen['page']:.0f} ms", f"{seen['file']:.0f} ms")


def of_database(bench, load):
    """What becomes of pages that need the database when it is killed."""
    site = DatabaseSite(bench, bench.home("database"), "production", bench.folder / "work-database")
    site.jove("install")
    answered(site.url)
    happenings(site, load, ["kill_database"])
    site.jove("stop")


def beside(bench, load, home, work, rounds):
    """The installed stack and the same programs configured by hand, asked in turn; medians."""
    head("In turn, medians", "requests/s: installed", "by hand", "ratio", "p50 ms: installed", "by hand", "p99 ms: installed", "by hand")
    for profile, title, tls, logs, threads, paths in (
            ("alike", "TLS, two workers", True, False, 1, ("static/page.css", "")),
            ("plain", "http, two workers", False, False, 1, ("static/page.css", "")),
            ("shipped", "TLS, as shipped: two threads each, access logs", True, True, 2, ("",))):
        site = Site(bench, home, profile, work)
        site.jove("install")
        hand = ByHand(bench, profile, site, tls, logs, threads)
        sides = {"ours": site.url, "hand": hand.url}
        for url in sides.values():
            answered(url)
        for path in paths:
            seen = {side: [] for side in sides}
            for number in range(rounds):
                for side in list(sides)[::1 if number % 2 else -1]:
                    seen[side].append(load.heard(load.wrk(load.same, load.options.connections, 4, sides[side] + path)))
            middle = {side: {kind: statistics.median(one[kind] / (one["seconds"] if kind == "requests" else 1) for one in seen[side])
                             for kind in ("requests", "p50", "p99")} for side in sides}
            failed = {side: sum(one[kind] for one in seen[side] for kind in WRK) for side in sides}
            ours, byhand = middle["ours"], middle["hand"]
            say(f"{'a file' if path else 'a page'}, {title}", f"{ours['requests']:,.0f}", f"{byhand['requests']:,.0f}",
                f"{ours['requests'] / byhand['requests']:.2f}", f"{ours['p50']:.1f}", f"{byhand['p50']:.1f}", f"{ours['p99']:.1f}",
                f"{byhand['p99']:.1f}" + (f" (failed: {failed})" if any(failed.values()) else ""))
        hand.end()
        site.jove("stop")


def versions(site):
    store = site.prefix / "store"
    nginx = next(path for path in sorted(store.glob("*-nginx-packages/bin/nginx")))
    said = subprocess.run([nginx, "-v"], stderr=subprocess.PIPE, text=True, check=True).stderr.strip().rpartition("/")[2]
    python = next(path for path in sorted(store.glob("*-env/bin/python")))
    number = subprocess.run([python, "-V"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    gunicorn = next((path.name.split("-")[1] for path in store.glob("*-gunicorn-packages/lib/python3*/site-packages/gunicorn-*.dist-info")), "?")
    return f"nginx {said}, gunicorn {gunicorn.removesuffix('.dist')}, {number}"


def busy():
    return f"load average {os.getloadavg()[0]:.1f}"


def main():
    options = arguments()
    if not shutil.which("wrk"):
        sys.exit("wrk is not in PATH (as a Debian package: wrk)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    pieces = [piece for piece in PIECES if not options.only or piece in options.only]
    names = [name for name in Events.ALL if not options.only or name in options.only or "events" in options.only]
    bench = Bench(pathlib.Path(tempfile.mkdtemp(prefix="jove-site-")), options)
    try:
        load, before, begun = Load(bench, options), busy(), time.perf_counter()
        home, work = bench.home("home"), bench.folder / "work"
        site = Site(bench, home, "production", work)
        site.jove("install")
        answered(site.url)
        print(f"{os.cpu_count()} processors, Linux {platform.release()}, {before} at the start; {versions(site)}; wrk and load.py on "
              f"{options.connections} connections together, on the same machine.", flush=True)
        if "memory" in pieces:
            time.sleep(3)
            memory(site)
        if names:
            head("What happened, under load", "times", "requests", "/s", "failed, as wrk counts", "as a browser counts",
                 "asked again by it", "longest without a page", "without a file")
        happenings(site, load, [name for name in names if name != "kill_database"])
        site.jove("stop")
        if "kill_database" in names:
            of_database(bench, load)
        if "beside" in pieces:
            beside(bench, load, home, work, options.rounds)
        if "begin" in pieces:
            from_nothing(bench)
        print(f"\n{busy()} at the end, after {(time.perf_counter() - begun) / 60:.0f} min.")
    except Failed as failed:
        sys.exit(str(failed))
    finally:
        bench.end()


if __name__ == "__main__":
    main()
