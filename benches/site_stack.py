"""A small site, installed by `jove-install`, and the same programs configured by hand beside it, for `site.py`."""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

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

# Each thread keeps its connection, and makes another after a failure: what most applications do.
OF_DATABASE = """
import os, threading, time
import psycopg
EDITION = "first"
own = threading.local()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    try:
        if getattr(own, "connection", None) is None:
            own.connection = psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5, autocommit=True)
        pid = own.connection.execute("select pg_backend_pid()").fetchone()[0]
    except psycopg.Error:
        own.connection = None
        start_response("500 No Database", [("Content-Type", "text/plain")])
        return [b"no database\\n"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s edition, by backend %d\\n" % (EDITION, pid)).encode()]
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
workers    = 2
prepare    = ["migrate.py"]
compatible = true

[parts.web]
workers    = 2
connections_per_client = 0
"""

# Four threads, so that the slow ones leave room; nothing is logged that is counted elsewhere.
PROFILES = {
    "production": """
[parts.app]
access_log = false
workers_threads = 4

[parts.web]
access_log = false
""",
    # As by hand: workers that do one thing at a time, and are never replaced.
    "alike": """
extends = ["profile:production"]

[parts.app]
access_log = false
workers_threads = 1
max_requests = 0

[parts.web]
access_log = false
""",
    "plain": """
extends = ["alike.toml"]

[parts.app]
url = "http://127.0.0.1/"

[parts.web]
tls = "off"
scheme = "http"
public_port = ":${.port}"

[require]
"nginx.tls" = "off"
""",
    # As it comes: two threads each, logs, workers replaced after some thousand requests.
    "shipped": """
extends = ["profile:production"]
""",
}

MIGRATION = """
import os, time
with open(os.path.join(os.environ["JOVE_DATA"], "schema"), "a") as file:
    file.write("one more\\n")
"""

# What an application is told of its visitors is what Debian's `proxy_params` says, which those who write by hand include.
BY_HAND = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    types {{ text/css css; }}
    sendfile on;
    keepalive_timeout 65;
    access_log {log};
    upstream app {{ server unix:{folder}/app.sock; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{
            proxy_pass http://app;
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
        location /static/ {{ alias {work}/static/; }}
    }}
}}
"""


def processes():
    """Numbers, parents and command lines of all processes."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    yield int(entry.name), int(fields[1]), (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                pass


def pss(pid):
    """The memory of a process in KiB, what it shares counted by shares."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def free_port():
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        return ear.getsockname()[1]


class Bench:
    """The folder of everything, whose user does it all."""

    def __init__(self, folder, options):
        self.folder, self.program, self.suite = folder, options.program.resolve(), options.suite
        keep = ("PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        prefixes = ("PIP_", "UV_", "http", "HTTP", "no_proxy", "NO_PROXY")
        self.env = {k: v for k, v in os.environ.items() if k in keep or k.startswith(prefixes)}
        # As root nginx would hand its work to another user, who may not enter this one's folders: an ordinary one does it all.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        folder.chmod(0o755)
        self.homes, self.hands = [], []

    def home(self, name):
        """A home of nothing but what says where Debian packages come from."""
        home = self.folder / name
        home.mkdir()
        if self.suite:
            (home / ".config/jove").mkdir(parents=True)
            text = f'[sources.debian]\naddress = "{archive()}"\nsuites = ["{self.suite}"]\ncheck_valid_until = false\n'
            (home / ".config/jove/config.toml").write_text(text)
        self.own(home)
        self.homes.append(home)
        return home

    def own(self, folder):
        if self.user:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    def run(self, command, home, cwd, expect=(0,)):
        """Runs a command as the user of it all; what it prints."""
        env = {**self.env, "HOME": str(home)}
        done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **self.user)
        if done.returncode not in expect:
            raise Failed(f"`{' '.join(map(str, command[1:]))}` ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def inside(self):
        """The processes of all that was installed here."""
        return [(pid, parent, words) for pid, parent, words in processes() if str(self.folder) in words and pid != os.getpid()]

    def end(self):
        """Ends and removes everything."""
        for hand in self.hands:
            hand.end()
        for home in self.homes:
            for prefix in sorted((home / "jove").glob("*/prefix.toml")):
                try:
                    self.run([str(self.program), "wipe", "--data", "--yes", "--prefix", str(prefix.parent)], home, home)
                except Failed as failed:
                    print(failed, file=sys.stderr)
        for pid, _, _ in self.inside():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


class Failed(Exception):
    """A command did not do what it is for."""


def archive():
    """The address of the machine's archive, as apt has it."""
    form = "$(SITE) $(CODENAME) $(COMPONENT)"
    lines = subprocess.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split("\n")
    found = [line.split()[0] for line in lines if line and line.split()[2] == "main" and "-" not in line.split()[1]]
    debian = [address for address in found if address.rstrip("/").endswith("/debian")]
    if not debian:
        raise Failed("apt says no archive of Debian, so --suite cannot be had from it")
    return debian[0]


class Site:
    """An installation of the small application, or of the profile's example in a home without a project."""

    application, project = APPLICATION, PROJECT

    def __init__(self, bench, home, profile, work=None):
        self.bench, self.home, self.profile, self.work = bench, home, profile, work or home
        if work and not work.exists():
            (work / "static").mkdir(parents=True)
            (work / "profiles").mkdir()
            (work / "app.py").write_text(self.application)
            (work / "jove.toml").write_text(self.project)
            (work / "migrate.py").write_text(MIGRATION)
            (work / "static/page.css").write_text("body { color: teal }\n" * 20)
            for name, text in PROFILES.items():
                (work / f"profiles/{name}.toml").write_text(text)
            bench.own(work)

    def jove(self, *command, expect=(0,)):
        """Runs a verb in the project; what it prints."""
        return self.bench.run([str(self.bench.program), *command, "-p", self.profile], self.home, self.work, expect)

    def status(self):
        return json.loads(self.jove("status", "--json", expect=(0, 1)))

    def service(self, name):
        """One service as `status` tells it."""
        return next(service for service in self.status()["services"] if service["name"] == name)

    @property
    def prefix(self):
        return pathlib.Path(self.status()["prefix"])

    @property
    def url(self):
        return next(url for service in self.status()["services"] if service["part"] == "web" for url in service["urls"])

    def edit(self, file, text, other):
        path = self.work / file
        before = path.read_text()
        if text not in before:
            raise Failed(f"{file} does not hold {text}")
        path.write_text(before.replace(text, other))

    def children(self, name):
        pid = self.service(name)["pid"]
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def own_process(self, word):
        """The supervisor or the keeper of this installation."""
        root = str(self.prefix)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for pid, _, words in processes():
                if f"internal-{word}\0" in words and f"\0{root}\0" in words:
                    return pid
            time.sleep(0.1)
        raise Failed(f"the {word} of {root} did not come back within 30 s")

    def memory(self):
        """The memory of every process of it, in KiB, by what it is."""
        root, kinds = str(self.prefix), {}
        for pid, _, words in processes():
            if root in words:
                kind = next((name for word, name in (("internal-keeper", "keeper"), ("internal-supervisor", "supervisor"),
                                                     ("internal-certificate", "renewal of the certificate"), ("nginx", "nginx"),
                                                     ("workers.py", "gunicorn")) if word in words.split("\0--root")[0]), "others")
                kinds.setdefault(kind, []).append(pid)
        # nginx's workers do not say where they are.
        for pid, parent, words in processes():
            if words.startswith("nginx: worker") and parent in kinds.get("nginx", []):
                kinds["nginx"].append(pid)
        return {kind: (len(pids), sum(map(pss, pids))) for kind, pids in kinds.items()}


class DatabaseSite(Site):
    """An installation of an application that asks its database for each page."""

    application = OF_DATABASE
    project = PROJECT.replace('pypi   = []', 'pypi   = ["psycopg[binary]"]').replace(
        "compatible = true", 'compatible = true\nservices   = ["postgresql"]')


class ByHand:
    """The same nginx and gunicorn as somebody would write them down who wants two workers and a socket."""

    def __init__(self, bench, name, site, tls, logs, threads):
        self.bench, self.folder, prefix = bench, bench.folder / f"hand-{name}", site.prefix
        self.folder.mkdir()
        port, store = free_port(), prefix / "store"
        certificate = prefix / "var/web/tls/certificate.pem"
        text = BY_HAND.format(
            folder=self.folder, work=site.work, port=port, log=f"{self.folder}/access.log" if logs else "off",
            tls=f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}" if tls else "")
        (self.folder / "nginx.conf").write_text(text)
        bench.own(self.folder)
        env = {**bench.env, "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1",
               "PYTHONPATH": str(next(store.glob("*-gunicorn-packages/lib/python3*/site-packages")))}
        python = next(path / "bin/python" for path in sorted(store.glob("*-env")) if path.is_dir())
        nginx = next(path / "bin/nginx" for path in sorted(store.glob("*-nginx-packages")) if path.is_dir())
        logged = ["--access-logfile", str(self.folder / "gunicorn.log")] if logs else []
        several = ["--threads", str(threads)] if threads > 1 else []
        # Daemons have sessions of their own, and where the kernel groups by these (autogroup) it matters.
        quiet = {"start_new_session": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env, **bench.user}
        bench.hands.append(self)
        self.running = [
            subprocess.Popen([python, "-m", "gunicorn", "--workers=2", *several, *logged, f"--bind=unix:{self.folder}/app.sock",
                              "app:application"], cwd=site.work, **quiet),
            subprocess.Popen([nginx, "-p", self.folder, "-e", self.folder / "nginx.log", "-c", self.folder / "nginx.conf"], **quiet),
        ]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/"

    def end(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []


def answered(url, patience=60.0):
    """When it first answered well, in the clock of `perf_counter`."""
    until = time.perf_counter() + patience
    while time.perf_counter() < until:
        if good(url):
            return time.perf_counter()
        time.sleep(0.02)
    raise Failed(f"{url} did not answer well within {patience:.0f} s")


def good(url):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with direct.open(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
