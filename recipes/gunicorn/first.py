"""Asks an application in its new process, before that takes anybody's request.

Both sides of an update share one socket: whoever listens is asked by people at once. So an application that fails at its
first request must not get so far, and what serves goes on.
"""

import io
import os
import sys
import urllib.parse


def ask(application, url, health):
    """Raises RuntimeError unless the application answers `health` (a path below that of `url`) with 200 to 399; where `health`
    is empty, its first page with anything below 500."""
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
    result = application(environ, lambda status, headers, exc_info=None: seen.append(status) or (lambda data: None))
    try:
        for _ in result:
            pass
    finally:
        if hasattr(result, "close"):
            result.close()
    status = seen[-1] if seen else "no status"
    if not status[:3].isdigit() or not 200 <= int(status[:3]) <= (399 if health else 499):
        raise RuntimeError("the application answers `%s` with %s, so it is not started" % (target, status))
