"""What gunicorn does besides: asks an application in its new process, before that takes anybody's request, starts the
successor of a worker that has answered as many requests as it may, and ends one in which a request hangs.

Both sides of an update share one socket: whoever listens is asked by people at once. So an application that fails at its
first request must not get so far, and what serves goes on.
"""

import contextlib
import io
import os
import signal
import socket
import sys
import time
import traceback
import urllib.parse


def ask(application, url, health):
    """What is wrong, if the application does not answer `health` (a path below that of `url`) with 200 to 399."""
    parts = urllib.parse.urlsplit(url)
    path, _, query = health.partition("?")
    target = parts.path.rstrip("/") + "/" + path.lstrip("/")
    script = os.environ.get("SCRIPT_NAME", "")
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": script, "PATH_INFO": urllib.parse.unquote(target[len(script):]),
        "QUERY_STRING": query, "RAW_URI": target, "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)), "HTTP_HOST": parts.netloc,
        "HTTP_X_FORWARDED_PROTO": parts.scheme, "HTTP_X_FORWARDED_FOR": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": parts.scheme, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }
    seen = []
    try:
        result = application(environ, lambda status, headers, exc_info=None: seen.append(status) or (lambda data: None))
        try:
            for _ in result:
                pass
        finally:
            if hasattr(result, "close"):
                result.close()
    except Exception as error:
        traceback.print_exc()
        seen.append("%s: %s" % (type(error).__name__, error))
    status = seen[-1] if seen else "no status"
    if status[:3].isdigit() and 200 <= int(status[:3]) <= 399:
        return None
    return "the application answers `%s` with %s, so it is not started" % (target, status)


class Late(BaseException):
    """No `Exception`: frameworks make a page of those."""


def ask_in_time(worker, url, health):
    """As `ask`, but one that hangs is told, too. gunicorn would end this worker alone, and those that follow are not asked."""
    patience = worker.cfg.timeout
    ends = time.monotonic() + patience

    def tick(*_):
        worker.notify()
        if patience and time.monotonic() >= ends:
            raise Late

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    try:
        return ask(worker.wsgi, url, health)
    except Late:
        return "the application has not answered `%s` within %d s, so it is not started" % (health, patience)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def watch(worker):
    """Has a worker end in which a request hangs. gunicorn sees to that only where a worker has one thread; with several, each
    that hangs would be lost for good, and when the last one is, nobody is answered any more."""
    asked, application, notify = {}, worker.wsgi, worker.notify
    # The web server in front gives up first, where both have the same patience, and then it does not ask anybody else.
    patience = worker.cfg.timeout + 1

    def measured(environ, start_response):
        one = object()
        asked[one] = (time.monotonic(), "%s %s" % (environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        try:
            return application(environ, start_response)
        finally:
            del asked[one]

    def heartbeat():
        notify()
        underway, now = list(asked.values()), time.monotonic()
        late = [what for begun, what in underway if now - begun > patience]
        if late and worker.alive:
            said = "error: no answer within %d s, so this worker is replaced: %s\n"
            sys.stderr.write(said % (worker.cfg.timeout, ", ".join(late)))
            worker.alive = False
        if late and len(late) == len(underway):
            # Python would wait for its threads.
            sys.stderr.flush()
            os._exit(1)

    worker.wsgi, worker.notify = measured, heartbeat


def begin(worker, url, health):
    """What a new worker does before it takes requests: asks its application, if there is something to ask, and says that it is
    ready. gunicorn would say so before any worker has loaded the application, since its socket is ours."""
    # Those that come later, in the place of others, are not asked: a moment without a database is no reason to end.
    if health and worker.age <= worker.cfg.workers:
        problem = ask_in_time(worker, url, health)
        if problem:
            end_all(worker, problem)
    if worker.cfg.timeout and worker.cfg.threads > 1:
        watch(worker)
    if os.environ["JOVE_NOTIFY_SOCKET"]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.sendto(b"READY=1", os.environ["JOVE_NOTIFY_SOCKET"])


def follow(worker):
    """Before each request: one that soon has answered as many as it may gets its successor now. It takes no more requests then,
    and ends when the last one is answered, which may be long; gunicorn alone would start another only after that, and where all
    its workers come so far together nobody would be answered meanwhile."""
    if worker.nr + worker.cfg.threads >= worker.max_requests and not getattr(worker, "followed", False):
        worker.followed = True
        with contextlib.suppress(OSError):
            os.kill(worker.ppid, signal.SIGTTIN)


def followed(master):
    """In the master, when a worker has ended: where there is one more than was asked for, that one is its successor."""
    if master.num_workers > master.cfg.workers:
        master.num_workers -= 1


def end_all(worker, problem):
    """Ends all of gunicorn: a worker that ended alone would be followed by another, which nobody asks."""
    sys.stderr.write("error: %s\n" % problem)
    os.kill(worker.ppid, signal.SIGTERM)
    # One that loads while the master already ends may have missed its word to end. The master has read ours by then: no worker
    # follows.
    patience = time.monotonic() + 2
    while worker.alive and time.monotonic() < patience:
        time.sleep(0.05)
    os._exit(0)
