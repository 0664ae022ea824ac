#!/usr/bin/env python3
"""Measures keeping services running: jove-install against supervisord, circus, s6, runit and horust, in one run.

    cargo build --release && python3 benches/supervisors.py > table.md

makes the whole table, 1,000 services and the lines too, as Markdown; what is short of it (`--times`, `--many 0`, `--mebibytes 0`, `--only`) is for
looking at one thing.

Peers are taken from PATH; one that is not there is left out and named. As Debian packages: s6, runit; as Python packages: supervisor,
circus; as a crate: horust. Every tool runs the same program: `sleep` with a number that only this run uses. Nothing is
asserted: a person reads the table. Medians, with minimum and maximum where several runs were made. Besides: a service that writes
lines of 100 bytes as fast as they are taken; what becomes of a child in a session of its own when its service is stopped; and
what a new start finds after the supervisor was killed.
"""

import argparse
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
TICKS = os.sysconf("SC_CLK_TCK")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=HERE.parent / "target/release/jove-install", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=5, help="runs of each start and stop")
    parser.add_argument("--crashes", type=int, default=11, help="crashes of each tool")
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--many", type=int, default=1000, help="services of the run that tells what each further one costs; 0 for none")
    parser.add_argument("--mebibytes", type=int, default=512, help="how much the writing service writes; 0 for none")
    parser.add_argument("--only", help="one tool by name")
    return parser.parse_args()


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def processes():
    """Numbers, parents and command lines of all processes."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read(f"/proc/{name}/stat")
            if stat:
                fields = stat[stat.rindex(b")") + 2:].split()
                if fields[0] != b"Z":
                    yield int(name), int(fields[1]), read(f"/proc/{name}/cmdline").split(b"\0")


def until(what, ask, longest=60.0):
    end = time.perf_counter() + longest
    while True:
        answer = ask()
        if answer:
            return answer
        if time.perf_counter() > end:
            raise TimeoutError(what)
        # Whoever looks without end takes a processor from those who are looked at.
        time.sleep(0.001)


WRITER = """import os, sys, time
total, piece, done = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
lines = (b"x" * 99 + b"\\n") * (piece // 100 + 2)
left, at, begin = total, 0, time.perf_counter()
while left > 0:
    count = os.write(1, lines[at:at + min(piece, left)])
    left, at = left - count, (at + count) % 100
with open(done + ".new", "w") as file:
    file.write(str(time.perf_counter() - begin))
os.rename(done + ".new", done)
time.sleep(1000000)
"""


class Tool:
    """One supervisor with so many services. `service` is the program and arguments of the service of that number: `words`, if
    they are given, else a sleep."""

    name = ""
    needs = ()

    def __init__(self, home, count, program, words=None, form="raw"):
        self.home, self.count, self.program, self.form = home, count, program, form
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=self.name, dir=home))
        self.mark = str(100000 + os.getpid())
        self.words = words and [word.replace("MARK", self.mark).replace("FOLDER", str(self.folder)) for word in words]
        (self.folder / "writer.py").write_text(WRITER)
        self.process = None
        self.fifo = self.folder / "started"
        os.mkfifo(self.fifo)
        self.line = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self.prepare()

    def service(self, number):
        # The first one says when it has been started, to the microsecond; the others only sleep.
        if self.words:
            return self.words
        if number == 0:
            return ["/bin/sh", "-c", f"echo $$ > {self.fifo}; exec /bin/sleep {self.mark}.0"]
        return ["/bin/sleep", f"{self.mark}.{number}"]

    def running(self):
        """How many services run, with as little looking as there can be: a process that was there before, or that runs its
        service's program already, is not looked at again."""
        mark = f"{self.mark}.".encode()
        now = {name for name in os.listdir("/proc") if name.isdigit()}
        self.seen &= now
        for name in now - self.seen - self.others:
            words = read(f"/proc/{name}/cmdline").split(b"\0")
            if len(words) > 1 and words[0].endswith(b"sleep") and words[1].startswith(mark):
                self.seen.add(name)
        return len(self.seen)

    def sleepers(self):
        mark = f"{self.mark}.".encode()
        return [pid for pid, _, words in processes() if len(words) > 1 and words[0].endswith(b"sleep") and words[1].startswith(mark)]

    def said(self):
        try:
            return int(os.read(self.line, 4096).split()[-1])
        except (BlockingIOError, IndexError):
            return None

    def spawn(self, command, **options):
        log = open(self.folder / "out.log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **options)

    def own(self):
        """The tool's own processes: descendants, and what carries its folder in its command, but no service."""
        table = list(processes())
        mine = {self.process.pid} if self.process else set()
        for _ in range(6):
            mine |= {pid for pid, parent, _ in table if parent in mine}
        folder = str(self.folder).encode()
        mine |= {pid for pid, _, words in table if any(folder in word for word in words)}
        sleepers = set(self.sleepers())
        return [pid for pid in mine if pid not in sleepers and pid != os.getpid()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """The supervising process, not its services."""
        self.process.kill()
        self.process.wait()

    def start(self):
        raise NotImplementedError

    def prepare(self):
        pass

    def up(self):
        self.seen, self.others = set(), {name for name in os.listdir("/proc") if name.isdigit()}
        return lambda: self.running() >= self.count

    def down(self):
        return lambda: not self.sleepers()

    def clean(self):
        for pid in self.own() + self.sleepers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait()
        os.close(self.line)


class Jove(Tool):
    name = "jove-install"

    def prepare(self):
        # The service of the shell is a file, so that its quotes are its own.
        parts = []
        for number in range(self.count):
            command = ", ".join("'%s'" % word for word in self.service(number))
            parts.append(
                f"[parts.s{number}]\nrecipe = 'command'\ncommand = [{command}]\nrestart_first = '0s'\nrestart_burst = 1000000\n"
                f"logging = {{ max_bytes = '10MiB', keep = 3, format = '{self.form}' }}\n"
            )
        (self.folder / "jove.toml").write_text("name = 'bench'\n" + "".join(parts))
        self.env = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.run("install", "--quiet")
        self.run("stop", "--quiet")

    def run(self, *words):
        subprocess.run([self.program, *words], cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def start(self):
        self.spawn([self.program, "start", "--quiet"], env=self.env)

    def stop(self):
        self.spawn([self.program, "stop", "--quiet"], env=self.env)

    def clean(self):
        super().clean()
        # Folders of sockets are elsewhere when the path is long.
        self.run("wipe", "--data", "--yes", "--quiet")

    def own(self):
        return [pid for pid in super().own() if b"internal-" in read(f"/proc/{pid}/cmdline")]

    def kill(self):
        """Both processes, at once."""
        for pid in self.own():
            os.kill(pid, signal.SIGKILL)
        until("their end", lambda: not self.own())
        self.process.wait()


class Supervisord(Tool):
    name, needs = "supervisord", ("supervisord",)

    def prepare(self):
        text = f"[supervisord]\nnodaemon=true\nlogfile={self.folder}/own.log\npidfile={self.folder}/pid\nminfds=4096\n"
        for number in range(self.count):
            command = " ".join("'%s'" % word if " " in word else word for word in self.service(number)).replace("%", "%%")
            text += f"[program:s{number}]\ncommand={command}\nautorestart=true\nstartretries=1000000\nredirect_stderr=true\n"
            text += f"stdout_logfile={self.folder}/s{number}.log\nstdout_logfile_maxbytes=10MB\nstdout_logfile_backups=3\n"
        (self.folder / "conf").write_text(text)

    def start(self):
        self.spawn([shutil.which("supervisord"), "-c", str(self.folder / "conf")])


class Circus(Tool):
    name, needs = "circus", ("circusd",)

    def prepare(self):
        ends = "\n".join(f"{name} = ipc://{self.folder}/{name}" for name in ("endpoint", "pubsub_endpoint"))
        text = f"[circus]\n{ends}\n"
        for number in range(self.count):
            command = " ".join("'%s'" % word if " " in word else word for word in self.service(number)).replace("$$", "$$$$")
            text += f"[watcher:s{number}]\ncmd = {command}\nstdout_stream.class = FileStream\n"
            text += f"stdout_stream.filename = {self.folder}/s{number}.log\nstdout_stream.max_bytes = 10485760\nstdout_stream.backup_count = 3\n"
        (self.folder / "conf.ini").write_text(text)

    def start(self):
        self.spawn([shutil.which("circusd"), str(self.folder / "conf.ini")])

    def stop(self):
        super().stop()
        self.asked = time.perf_counter()

    def down(self):
        def ask():
            # A stop that it hears while it still starts or looks after others conflicts with that, and is forgotten.
            if time.perf_counter() > self.asked + 0.5 and self.process.poll() is None:
                self.stop()
            return not self.sleepers()

        return ask


class Folders(Tool):
    """One folder a service, with a program `run` in it."""

    def prepare(self):
        for number in range(self.count):
            run = self.folder / "services" / f"s{number}" / "run"
            run.parent.mkdir(parents=True)
            words = " ".join("'%s'" % word if " " in word else word for word in self.service(number))
            run.write_text(f"#!/bin/sh\nexec {words}\n")
            run.chmod(0o755)


    def logs_with(self, words):
        """A program beside each service takes its output: only where that is measured, for it is a process more."""
        for number in range(self.count if self.words else 0):
            run = self.folder / "services" / f"s{number}" / "log" / "run"
            run.parent.mkdir()
            run.write_text(f"#!/bin/sh\nexec {words}\n")
            run.chmod(0o755)


class S6(Folders):
    name, needs = "s6", ("s6-svscan", "s6-svscanctl", "s6-log")

    def prepare(self):
        super().prepare()
        self.logs_with(f"s6-log n3 s10000000 {self.folder}/log")

    def start(self):
        self.spawn([shutil.which("s6-svscan"), str(self.folder / "services")])

    def stop(self):
        subprocess.run([shutil.which("s6-svscanctl"), "-t", str(self.folder / "services")], check=True)


class Runit(Folders):
    name, needs = "runit", ("runsvdir", "svlogd")

    def prepare(self):
        super().prepare()
        log = self.folder / "log"
        log.mkdir()
        (log / "config").write_text("s10000000\nn3\n")
        self.logs_with(f"svlogd {log}")

    def start(self):
        self.spawn([shutil.which("runsvdir"), str(self.folder / "services")])

    def stop(self):
        self.process.send_signal(signal.SIGHUP)


class Horust(Tool):
    name, needs = "horust", ("horust",)

    def prepare(self):
        folder = self.folder / "services"
        folder.mkdir()
        for number in range(self.count):
            # It replaces variables first, as circus does.
            words = " ".join("'%s'" % word if " " in word else word for word in self.service(number)).replace("$$", "$$$$")
            (folder / f"s{number}.toml").write_text(
                f"command = \"\"\"{words}\"\"\"\n[restart]\nstrategy = \"always\"\nbackoff = \"0s\"\nattempts = 1000000\n"
            )

    def start(self):
        self.spawn([shutil.which("horust"), "--services-path", str(self.folder / "services"), "--uds-folder-path", str(self.folder)])


TOOLS = (Jove, Supervisord, Circus, S6, Runit, Horust)


def pss(pids):
    total = 0
    for pid in pids:
        for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1])
    return total


def woken(pids):
    """How often these processes have slept, and the ticks of processor time that they took."""
    sleeps = ticks = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task") if os.path.isdir(f"/proc/{pid}/task") else []:
            for line in read(f"/proc/{pid}/task/{task}/status").splitlines():
                if line.startswith(b"voluntary_ctxt_switches"):
                    sleeps += int(line.split()[1])
        fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return sleeps, ticks


def measure(kind, home, options, count):
    tool = kind(home, count, options.program.resolve())
    row = {"start": [], "stop": [], "crash": []}
    try:
        for turn in range(options.times):
            tool.said()
            up = tool.up()
            begin = time.perf_counter()
            tool.start()
            until("start", up, 300)
            row["start"].append((time.perf_counter() - begin) * 1000)
            if turn == 0:
                life(tool, row, options)
            begin = time.perf_counter()
            tool.stop()
            until("stop", tool.down(), 300)
            row["stop"].append((time.perf_counter() - begin) * 1000)
            if isinstance(tool, Runit):
                # It leaves its own processes to end by themselves.
                tool.process.wait()
            until("the tool's end", lambda: not [pid for pid in tool.own() if pid != tool.process.pid], 30)
            tool.process.wait()
    finally:
        tool.clean()
    return row


def life(tool, row, options):
    """What is measured while it runs."""
    time.sleep(2)
    own = tool.own()
    row["pss"] = pss(own)
    before = woken(own)
    time.sleep(5)
    after = woken(own)
    row["woken"] = (after[0] - before[0]) / 5
    if options.crashes:
        for _ in range(options.crashes):
            first = [pid for pid in tool.sleepers() if read(f"/proc/{pid}/cmdline").split(b"\0")[1].endswith(b".0")]
            while tool.said():
                pass
            begin = time.perf_counter()
            os.kill(first[0], signal.SIGKILL)
            until("a new process", tool.said, 30)
            row["crash"].append((time.perf_counter() - begin) * 1000)
            until("its program", lambda: len(tool.sleepers()) >= tool.count)
            time.sleep(0.05)


def written(kind, home, options, piece, form="raw"):
    """MB a second that a service gets rid of, and the seconds of processor time that the tool takes for them."""
    total = options.mebibytes << 20
    tool = kind(home, 1, options.program.resolve(), [sys.executable, "FOLDER/writer.py", str(total), str(piece), "FOLDER/done"], form)
    done = tool.folder / "done"
    try:
        done.unlink(missing_ok=True)
        tool.start()
        until("the writing", done.exists, 300)
        ticks = woken([pid for pid in tool.own() if b"writer.py" not in read(f"/proc/{pid}/cmdline")])[1]
        return f"{total / 1e6 / float(done.read_text()):.0f} MB/s ({ticks / TICKS:.2f} s)"
    finally:
        tool.clean()


def escaped(kind, home, options):
    """What becomes of a child in a session of its own when its service is stopped."""
    words = ["/bin/sh", "-c", "setsid /bin/sleep MARK.1 & exec /bin/sleep MARK.0"]
    tool = kind(home, 1, options.program.resolve(), words)
    try:
        tool.start()
        until("both", lambda: len(tool.sleepers()) == 2)
        tool.stop()
        until("the stop", lambda: len(tool.sleepers()) < 2)
        tool.process.wait()
        time.sleep(2)
        return "survives" if tool.sleepers() else "ends"
    finally:
        tool.clean()


def again(kind, home, options):
    """What a new start makes of a service whose supervisor was killed."""
    tool = kind(home, 1, options.program.resolve(), ["/bin/sleep", "MARK.0"])
    try:
        tool.start()
        until("the service", tool.sleepers)
        time.sleep(1)
        former = tool.sleepers()
        tool.kill()
        if tool.sleepers() != former:
            return "it ends"
        tool.start()
        time.sleep(4)
        now = tool.sleepers()
        if len(now) > 1:
            return "doubled"
        if now != former:
            return "started anew"
        tool.stop()
        time.sleep(2)
        return "left alone" if tool.sleepers() else "adopted"
    finally:
        tool.clean()


def attempt(work):
    try:
        return work()
    except (TimeoutError, subprocess.CalledProcessError, OSError, ValueError) as error:
        return f"failed: {error}"


def shown(series, unit="ms"):
    if not series:
        return "-"
    low, middle, high = min(series), statistics.median(series), max(series)
    return f"{middle:.1f} ({low:.1f}–{high:.1f}) {unit}"


def head(*titles):
    print()
    line(*titles)
    print("|" + "---|" * len(titles), flush=True)


def line(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def lives(kinds, home, options):
    rows = {}
    head("tool", "start to all running", "memory (PSS)", "crash to running", "sleeps a second, idle", "stop to all gone")
    for kind in kinds:
        row = attempt(lambda: measure(kind, home, options, options.services))
        if isinstance(row, str):
            line(kind.name, row, "", "", "", "")
            continue
        rows[kind.name] = row
        memory, sleeps = f"{row['pss'] / 1024:.1f} MiB", f"{row['woken']:.1f}"
        line(kind.name, shown(row["start"]), memory, shown(row["crash"]), sleeps, shown(row["stop"]))
    return rows


def more(kinds, home, options, few):
    head("tool", f"start of {options.many}", "memory (PSS)", "each further service", "stop")
    options = argparse.Namespace(**{**vars(options), "times": 1, "crashes": 0})
    for kind in kinds:
        row = attempt(lambda: measure(kind, home, options, options.many))
        if isinstance(row, str):
            line(kind.name, row, "", "", "")
            continue
        each = (row["pss"] - few[kind.name]["pss"]) / (options.many - options.services) if kind.name in few else 0
        line(kind.name, shown(row["start"]), f"{row['pss'] / 1024:.1f} MiB", f"{each:.1f} KiB", shown(row["stop"]))


def output(kinds, home, options):
    head("tool", f"{options.mebibytes} MiB taken, written 64 KiB at a time (its processor time)", "a line at a time", "64 KiB, prefixed")
    for kind in kinds:
        whole = attempt(lambda: written(kind, home, options, 1 << 16))
        lines = attempt(lambda: written(kind, home, options, 100))
        marked = attempt(lambda: written(kind, home, options, 1 << 16, "prefixed")) if kind is Jove else "-"
        line(kind.name, whole, lines, marked)


def main():
    options = arguments()
    if not options.program.exists():
        sys.exit(f"{options.program} is not there: cargo build --release")
    home = pathlib.Path(tempfile.mkdtemp(prefix="jove-bench", dir="/tmp"))
    others = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d')}: {options.services} services, {os.cpu_count()} processors, Linux {os.uname().release}; medians (least–most).")
    print(f"Before it began {others:.1f} processes wanted a processor{'' if others < 0.5 else ': the machine was not quiet'}.\n")
    kinds = [kind for kind in TOOLS if not options.only or options.only == kind.name]
    for kind in kinds:
        missing = [name for name in kind.needs if not shutil.which(name)]
        if missing:
            print(f"{kind.name} is left out: not in PATH: {', '.join(missing)}\n")
    kinds = [kind for kind in kinds if all(shutil.which(name) for name in kind.needs)]
    try:
        few = lives(kinds, home, options)
        if options.many:
            more(kinds, home, options, few)
        if options.mebibytes:
            output(kinds, home, options)
        head("tool", "a child in a session of its own, after a stop", "a new start after the supervisor was killed")
        for kind in kinds:
            line(kind.name, attempt(lambda: escaped(kind, home, options)), attempt(lambda: again(kind, home, options)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
