#!/usr/bin/env python3
"""A small threaded HTTP/1.1 server for one WSGI application, in the standard library alone.

It is for demonstrations and development on one machine: it answers only connections of its own user (unless `--share`), loads the
application before it listens, finishes requests on SIGTERM, and writes no bytecode.

    serve.py --port 8000 --source . mysite.wsgi:application
    serve.py --port 8000 --source . --static /static=static wsgi/site.wsgi
    serve.py --port 8000 ini:production.ini#main
    serve.py --source . --run manage.py migrate

Arguments may stand in a file, one a line: `serve.py @serve.args mysite:app`.

How it is built: `main` reads arguments, `load` finds the application, `Server` accepts and keeps one thread a connection,
`Connection` speaks HTTP, `Exchange` is one request's life through WSGI, `Files` serves folders, `Guard` decides whom to answer.
"""

import argparse
import email.utils
import html
import http.server
import importlib
import importlib.util
import io
import ipaddress
import mimetypes
import os
import posixpath
import re
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
import types
import urllib.parse

# ---------------------------------------------------------------------------------------------------------------- arguments


def truth(word):
    """`true` and `false` as jove-install writes them."""
    if word.lower() in ("true", "yes", "on", "1"):
        return True
    if word.lower() in ("false", "no", "off", "0"):
        return False
    raise argparse.ArgumentTypeError("`%s` is neither true nor false" % word)


def mapping(text):
    """`/static=folder`."""
    path, equals, folder = text.partition("=")
    if not equals or not folder or not path.startswith("/"):
        raise argparse.ArgumentTypeError("`%s` is not of the form /path=folder" % text)
    return "/" + path.strip("/"), folder


class Arguments(argparse.ArgumentParser):
    """Reads argument files with comments and empty lines."""

    def convert_arg_line_to_args(self, line):
        return [line] if line.strip() and not line.startswith("#") else []


def parse(arguments):
    parser = Arguments(
        description="Serve one WSGI application to its own user.", fromfile_prefix_chars="@", allow_abbrev=False
    )
    yes = {"type": truth, "default": False, "metavar": "true|false"}
    parser.add_argument("app", nargs="?", help="module:callable, path/file.wsgi or ini:file.ini#section")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on")
    parser.add_argument("--source", metavar="FOLDER", help="folder that comes first on Python's path")
    parser.add_argument("--url", help="address that people use")
    parser.add_argument("--mount", default="/", metavar="PATH", help="path below which the application is")
    parser.add_argument("--static", action="append", default=[], type=mapping, metavar="/PATH=FOLDER")
    parser.add_argument(
        "--untrusted", action="append", default=[], type=mapping, metavar="/PATH=FOLDER",
        help="as --static, for files that users make: no browser runs a script in them",
    )
    parser.add_argument("--health", metavar="PATH", help="must be answered with 200 to 399 before listening")
    parser.add_argument("--check", action="store_true", help="do not serve: end with 0 if it could be loaded and is well")
    parser.add_argument("--threads", type=int, default=8, help="requests that are worked on at once")
    parser.add_argument("--max-body", type=int, default=50 << 20, metavar="BYTES")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="patience with a slow client")
    parser.add_argument("--grace", type=float, default=8.0, metavar="SECONDS", help="for open requests on SIGTERM")
    parser.add_argument("--access-log", **dict(yes, default=True))
    parser.add_argument("--debug", help="show tracebacks in the page", **yes)
    parser.add_argument("--share", help="answer everybody who can reach the address", **yes)
    parser.add_argument(
        "--run", nargs=argparse.REMAINDER, metavar="SCRIPT", help="run a script of the source instead of serving"
    )
    options = parser.parse_args(arguments)
    if options.app is None and options.run is None:
        parser.error("no application was given: module:callable, path/file.wsgi or ini:file.ini#section")
    options.mount = "/" + options.mount.strip("/")
    options.threads = max(1, options.threads)
    return options


# -------------------------------------------------------------------------------------------------------------- application


class Unloadable(Exception):
    """The application cannot be had; the text says what to do."""


def prepare_path(source):
    """The source first, and the folder of this file not at all, so that it hides no module of the application."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    if source is None:
        return
    source = os.path.abspath(source)
    if not os.path.isdir(source):
        raise Unloadable("the application's folder `%s` does not exist; set the option `source`" % source)
    sys.path.insert(0, source)
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = source + (os.pathsep + inherited if inherited else "")


def beside(source, path):
    """A path that is relative to the source."""
    return os.path.normpath(os.path.join(os.path.abspath(source or os.curdir), os.path.expanduser(path)))


def load(app, source):
    """The WSGI callable that `app` names."""
    if app.startswith("ini:"):
        return load_ini(app[len("ini:"):], source)
    name, colon, attribute = app.partition(":")
    if colon and re.fullmatch(r"[\w.]+", name):
        return load_module(name, attribute or "application")
    if os.path.isfile(beside(source, app)):
        return load_file(beside(source, app))
    if re.fullmatch(r"[\w.]+", app) and not app.endswith((".wsgi", ".py")):
        return load_module(app, "application")
    raise Unloadable(
        "there is no file `%s`; an application is module:callable, path/file.wsgi or ini:file.ini#section" % beside(source, app)
    )


def load_module(name, attribute):
    try:
        found = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        raise Unloadable(
            "there is no Python module `%s`; looked in %s" % (error.name, ", ".join(sys.path[:3]))
        ) from None
    called = attribute.endswith("()")
    for step in (attribute[:-2] if called else attribute).split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            offered = [key for key, value in sorted(vars(found).items()) if callable(value) and not key.startswith("_")]
            raise Unloadable(
                "`%s` has no `%s`; its callables are: %s" % (name, step, ", ".join(offered[:12]) or "none")
            ) from None
    return check(found() if called else found, "%s:%s" % (name, attribute))


def load_file(path):
    """A `.wsgi` file: Python whose `application` is the application."""
    module = types.ModuleType("wsgi_application")
    module.__file__ = path
    sys.modules[module.__name__] = module
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    if not hasattr(module, "application"):
        raise Unloadable("`%s` defines no `application`" % path)
    return check(module.application, path)


def load_ini(text, source):
    """A PasteDeploy file and one of its sections."""
    path, _, section = text.partition("#")
    path = beside(source, path)
    if not os.path.isfile(path):
        raise Unloadable("there is no file `%s`" % path)
    try:
        from paste.deploy import loadapp
    except ImportError:
        raise Unloadable(
            "an application of an ini file needs the package `pastedeploy`; add it to `pypi` of the Python environment"
        ) from None
    configure_logging(path)
    return check(loadapp("config:" + path, name=section or "main"), text)


def configure_logging(path):
    """The ini file's own logging sections, as `pserve` reads them."""
    import configparser
    import logging.config

    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path, encoding="utf-8")
    if parser.has_section("loggers"):
        here = os.path.dirname(path)
        logging.config.fileConfig(path, {"__file__": path, "here": here}, disable_existing_loggers=False)


def check(application, name):
    if not callable(application):
        raise Unloadable("`%s` is %s, which is no WSGI application" % (name, type(application).__name__))
    return application


def run(command, source):
    """Runs a script (or `-m module`) of the source in this process."""
    if not command:
        return
    sys.argv = list(command)
    if command[0] == "-m" and len(command) > 1:
        sys.argv = sys.argv[1:]
        os.chdir(os.path.abspath(source or os.curdir))
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        return
    script = beside(source, command[0])
    if not os.path.isfile(script):
        raise Unloadable("there is no script `%s` to run" % script)
    runpy.run_path(script, run_name="__main__")


# ------------------------------------------------------------------------------------------------------------ whom to answer


class Guard:
    """Decides whom to answer: unless the site is shared, connections of this user (or root) on this machine, by its own names.

    Every user of a machine can reach its loopback addresses, so the kernel's table is asked whose the other end is. The check
    of the Host header keeps web pages out that point a name of their own at 127.0.0.1.
    """

    def __init__(self, share, host, url):
        self.share = share
        self.user = os.getuid()
        self.hosts = {"localhost", "127.0.0.1", "::1", host.lower()}
        if url:
            self.hosts.add((urllib.parse.urlsplit(url).hostname or "").lower())

    def refuses_peer(self, connection):
        """Why this connection is not answered, or None."""
        if self.share:
            return None
        if owner_of_peer(connection) in (self.user, 0):
            return None
        return "this server answers only the user who runs it (set `share = true` to answer everybody)"

    def refuses_host(self, header):
        if self.share or header is None:
            return None
        name = urllib.parse.urlsplit("//" + header).hostname
        if name in self.hosts:
            return None
        return "this server is not called `%s` (set `url`, or `share = true`)" % header


def owner_of_peer(connection):
    """The user whose process holds the other end of a connection on this machine; None if no process here does."""
    peer, own = connection.getpeername(), connection.getsockname()
    table = "/proc/net/tcp6" if connection.family == socket.AF_INET6 else "/proc/net/tcp"
    ends = [kernel_address(peer), kernel_address(own)]
    try:
        with open(table, encoding="ascii") as rows:
            for row in rows:
                fields = row.split(None, 10)
                # An inode of 0: its process has closed it, and the user is no longer known (it reads as 0, root).
                if fields[1:3] == ends and fields[9] != "0":
                    return int(fields[7])
    except (OSError, ValueError, IndexError):
        return None
    return None


def kernel_address(address):
    """`0100007F:1F90`: words of the address in the machine's order, as /proc/net/tcp has it."""
    packed = ipaddress.ip_address(address[0].partition("%")[0]).packed
    words = (packed[at:at + 4] for at in range(0, len(packed), 4))
    text = "".join("%08X" % int.from_bytes(word, sys.byteorder) for word in words)
    return "%s:%04X" % (text, address[1])


# ------------------------------------------------------------------------------------------------------------------- folders


class Files:
    """Serves folders below URL paths, and hands everything else to the application."""

    def __init__(self, application, folders, untrusted):
        self.application = application
        named = [(path, folder, False) for path, folder in folders]
        named += [(path, folder, True) for path, folder in untrusted]
        # The longest path first, so that /static/admin goes before /static.
        self.folders = sorted(named, key=lambda entry: -len(entry[0]))

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        for prefix, folder, untrusted in self.folders:
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return self.serve(environ, start_response, folder, path[len(prefix):], untrusted)
        return self.application(environ, start_response)

    def serve(self, environ, start_response, folder, rest, untrusted):
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return plain(start_response, "405 Method Not Allowed", "only GET and HEAD", [("Allow", "GET, HEAD")])
        path = find(folder, rest.encode("latin-1").decode("utf-8", "replace"))
        if path is None:
            return plain(start_response, "404 Not Found", "there is no such file")
        try:
            file = open(path, "rb")
        except OSError:
            return plain(start_response, "404 Not Found", "there is no such file")
        status = os.fstat(file.fileno())
        modified = email.utils.formatdate(status.st_mtime, usegmt=True)
        kind, encoding = mimetypes.guess_type(path)
        headers = [
            ("Content-Type", content_type(kind, encoding)),
            ("Content-Length", str(status.st_size)),
            ("Last-Modified", modified),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if untrusted:
            headers.append(("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"))
        if environ.get("HTTP_IF_MODIFIED_SINCE") == modified:
            file.close()
            start_response("304 Not Modified", headers[2:])
            return []
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](file, 1 << 16)


def content_type(kind, encoding):
    if kind is None or encoding is not None:
        return "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/json", "application/javascript", "application/xml")
    return kind + "; charset=utf-8" if text else kind


def find(folder, rest):
    """The file below the folder, or None: nothing hidden, nothing that a link or `..` leads out of it."""
    parts = [part for part in posixpath.normpath("/" + rest).split("/") if part]
    if "\0" in rest or "\\" in rest or any(part.startswith(".") for part in parts):
        return None
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, *parts))
    if path != root and not path.startswith(root.rstrip(os.sep) + os.sep):
        return None
    if os.path.isdir(path):
        path = os.path.join(path, "index.html")
    return path if os.path.isfile(path) else None


def plain(start_response, status, text, headers=()):
    body = (text + "\n").encode("utf-8")
    start_response(
        status,
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers],
    )
    return [body]


class Mount:
    """Puts the application below a path."""

    def __init__(self, application, path):
        self.application = application
        self.path = path

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == self.path or path.startswith(self.path + "/"):
            environ["SCRIPT_NAME"] = self.path
            environ["PATH_INFO"] = path[len(self.path):]
            return self.application(environ, start_response)
        if path == "/":
            return plain(start_response, "302 Found", "see " + self.path, [("Location", self.path + "/")])
        return plain(start_response, "404 Not Found", "the application is below " + self.path)


# ---------------------------------------------------------------------------------------------------------------------- HTTP


class BadBody(OSError):
    """The body of a request is not what its headers say, or too long."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Body(io.RawIOBase):
    """The body of a request: ends where Content-Length, or the last chunk, says."""

    def __init__(self, stream, length, limit):
        super().__init__()
        self.stream = stream
        self.left = length or 0
        self.chunked = length is None
        self.limit = limit
        self.taken = 0
        self.ended = not self.chunked and self.left == 0
        self.broken = False

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.ended:
            return 0
        if self.chunked and self.left == 0 and not self.next_chunk():
            return 0
        data = self.stream.read1(min(len(buffer), self.left))
        if not data:
            self.give_up(400, "the connection ended within the body")
        buffer[: len(data)] = data
        self.left -= len(data)
        if self.left == 0:
            if self.chunked:
                self.stream.readline(8)
            else:
                self.ended = True
        return len(data)

    def next_chunk(self):
        size = self.stream.readline(1026).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
            self.give_up(400, "a chunk of the body has no size")
        self.left = int(size, 16)
        self.taken += self.left
        if self.taken > self.limit:
            self.give_up(413, "the body is longer than %d bytes" % self.limit)
        if self.left:
            return True
        self.ended = True
        for _ in range(100):
            if self.stream.readline(1026) in (b"\r\n", b"\n", b""):
                break
        return False

    def give_up(self, status, text):
        """Nobody knows where the next request begins."""
        self.ended = self.broken = True
        raise BadBody(status, text)

    def skip(self, most=1 << 20):
        """Reads what the application left, so that the next request can follow; False if that cannot be."""
        buffer = bytearray(1 << 16)
        skipped = 0
        try:
            while not self.ended and skipped <= most:
                skipped += self.readinto(buffer)
        except OSError:
            return False
        return self.ended and not self.broken


class Exchange:
    """One request's life through the application."""

    def __init__(self, connection, environ, body):
        self.connection = connection
        self.environ = environ
        self.body = body
        self.status = None
        self.headers = []
        self.sent = False
        self.chunked = False
        self.promised = None
        self.bytes = 0
        self.bodiless = environ["REQUEST_METHOD"] == "HEAD"

    def run(self, application):
        result = None
        try:
            result = application(self.environ, self.start_response)
            self.send_all(result)
        finally:
            if hasattr(result, "close"):
                result.close()

    def start_response(self, status, headers, exc_info=None):
        try:
            if exc_info and self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None
        for name, value in headers:
            if re.search(r"[\r\n\0]", name + value):
                raise ValueError("a header of the application holds a line break: %r" % name)
        if not re.match(r"\d{3}( |$)", status):
            raise ValueError("the application's status is not of the form `200 OK`: %r" % status)
        self.status, self.headers = status, list(headers)
        return self.write

    def send_all(self, result):
        whole = isinstance(result, (list, tuple))
        if whole:
            self.start(sum(map(len, result)))
        for data in result:
            if data:
                self.write(data)
                if not whole:
                    # A block must not wait for the next one (events, progress).
                    self.connection.wfile.flush()
        self.start(0)
        if self.chunked:
            self.connection.wfile.write(b"0\r\n\r\n")
        elif self.promised not in (None, self.bytes) and not self.bodiless:
            raise RuntimeError("the application promised %d bytes and gave %d" % (self.promised, self.bytes))

    def start(self, length=None):
        """Sends the head, once; the length is known if the whole body is."""
        if self.sent:
            return
        if self.status is None:
            raise RuntimeError("the application gave a body before it called start_response")
        self.sent = True
        names = {name.lower(): value for name, value in self.headers}
        self.promised = int(names["content-length"]) if names.get("content-length", "").isdigit() else length
        code = int(self.status[:3])
        # Hop-by-hop headers are this server's affair.
        lines = ["%s: %s" % (name, value) for name, value in self.headers
                 if name.lower() not in ("connection", "keep-alive", "transfer-encoding")]
        no_body = code < 200 or code in (204, 304)
        if "content-length" not in names and not no_body:
            if length is not None and not self.bodiless:
                lines.append("Content-Length: %d" % length)
            elif self.bodiless:
                pass  # a HEAD of unknown length
            elif self.environ["SERVER_PROTOCOL"] == "HTTP/1.1":
                lines.append("Transfer-Encoding: chunked")
                self.chunked = True
            else:
                self.connection.close_connection = True
        self.bodiless = self.bodiless or no_body
        if "date" not in names:
            lines.append("Date: " + email.utils.formatdate(usegmt=True))
        if self.connection.ends_after(self.body):
            self.connection.close_connection = True
        if self.connection.close_connection:
            lines.append("Connection: close")
        head = "HTTP/1.1 %s\r\n%s\r\n\r\n" % (self.status, "\r\n".join(lines))
        self.connection.wfile.write(head.encode("latin-1"))

    def write(self, data):
        self.start()
        if self.bodiless or not data:
            return
        self.bytes += len(data)
        if self.chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.connection.wfile.write(data)


class FileWrapper:
    """`wsgi.file_wrapper`: a file in pieces."""

    def __init__(self, file, size=1 << 16):
        self.file = file
        self.size = size

    def __iter__(self):
        return iter(lambda: self.file.read(self.size), b"")

    def close(self):
        if hasattr(self.file, "close"):
            self.file.close()


class Connection(http.server.BaseHTTPRequestHandler):
    """One connection, which may carry many requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def setup(self):
        self.timeout = self.server.options.timeout
        self.busy = False
        super().setup()

    def handle_one_request(self):
        """Overridden whole: the base class looks up `do_GET`; this hands every method to the application."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
                return
            self.busy = True
            if len(self.raw_requestline) > 65536:
                self.requestline, self.command, self.request_version = "", "", "HTTP/1.1"
                return self.refuse(414, "the address is too long")
            if self.parse_request():
                self.answer()
            else:
                self.close_connection = True
            self.wfile.flush()
        except (ConnectionError, TimeoutError, socket.timeout):
            self.close_connection = True
        finally:
            self.busy = False

    def answer(self):
        began = time.monotonic()
        try:
            body = self.open_body()
            reason = self.server.guard.refuses_host(self.headers.get("Host"))
        except BadBody as error:
            return self.refuse(error.status, str(error))
        if reason:
            return self.refuse(421, reason)
        exchange = Exchange(self, self.environ(body), body)
        with self.server.working:
            try:
                exchange.run(self.server.application)
            except (ConnectionError, TimeoutError, socket.timeout):
                self.close_connection = True
            except BadBody as error:
                self.fail(exchange, error.status, str(error))
            except Exception:
                self.server.log("error in %s %s\n%s" % (self.command, self.path, traceback.format_exc()))
                self.fail(exchange, 500, traceback.format_exc() if self.server.options.debug else None)
        # Whoever waits for the answer need not wait for the log line.
        self.wfile.flush()
        if not self.close_connection and not body.skip():
            self.close_connection = True
        self.log_exchange(exchange, time.monotonic() - began)

    def open_body(self):
        lengths = set(self.headers.get_all("Content-Length", []))
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise BadBody(400, "the length of the body is said in two ways, or in an unknown one")
            return Body(self.rfile, None, self.server.options.max_body)
        if len(lengths) > 1 or not all(re.fullmatch(r"[0-9]{1,15}", length) for length in lengths):
            raise BadBody(400, "the Content-Length is no number")
        length = int(lengths.pop()) if lengths else 0
        if length > self.server.options.max_body:
            raise BadBody(413, "the body is longer than %d bytes" % self.server.options.max_body)
        return Body(self.rfile, length, self.server.options.max_body)

    def handle_expect_100(self):
        """Not before it is known that the body will be taken."""
        try:
            self.open_body()
        except BadBody as error:
            self.refuse(error.status, str(error))
            return False
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def ends_after(self, body):
        """Whether this answer is the connection's last: on the way out, or when too much of the body is unread."""
        return self.server.stopping or (not body.ended and body.left > 1 << 20)

    def environ(self, body):
        path, _, query = self.path.partition("?")
        if not path.startswith("/"):
            # The absolute form, as a client writes it to a proxy.
            parts = urllib.parse.urlsplit(self.path)
            path, query = parts.path or "/", parts.query
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": self.request_version,
            "SERVER_NAME": self.server.options.host,
            "SERVER_PORT": str(self.server.port),
            "SERVER_SOFTWARE": "jove-serve",
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BufferedReader(body, 1 << 16),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }
        if not body.chunked:
            environ["CONTENT_LENGTH"] = str(body.left) if "Content-Length" in self.headers else ""
        for name, value in self.headers.items():
            # A name with `_` would be read as another one with `-`; `Proxy` would be read as the variable HTTP_PROXY.
            if "_" in name or name.lower() in ("content-type", "content-length", "proxy"):
                continue
            key = "HTTP_" + name.upper().replace("-", "_")
            joint = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = environ[key] + joint + value if key in environ else value.strip()
        return environ

    def fail(self, exchange, status, text):
        """An error page, if nothing was sent yet; else the connection is cut, so that nobody takes half for the whole."""
        self.close_connection = True
        if exchange.sent:
            # Without the last chunk or the promised length the client sees that the answer is not whole.
            exchange.chunked = False
            return
        exchange.status = "%d %s" % (status, self.responses[status][0])
        exchange.headers = [("Content-Type", "text/html; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
        page = error_page(exchange.status, text).encode("utf-8")
        exchange.start(len(page))
        exchange.write(page)

    def refuse(self, status, text):
        """An answer that the application does not see."""
        self.close_connection = True
        page = error_page("%d %s" % (status, self.responses[status][0]), text).encode("utf-8")
        head = "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        self.wfile.write((head % (status, self.responses[status][0], len(page))).encode("latin-1"))
        if self.command != "HEAD":
            self.wfile.write(page)
        self.wfile.flush()
        if self.server.options.access_log:
            self.server.log('%s "%s" %d: %s' % (self.client_address[0], printable(self.requestline), status, text))

    def send_error(self, code, message=None, explain=None):
        """What the base class says of a request that it cannot read."""
        self.command = getattr(self, "command", None) or ""
        self.requestline = getattr(self, "requestline", "")
        self.refuse(code if code in self.responses else 400, message or "the request cannot be read")

    def log_exchange(self, exchange, seconds):
        if self.server.options.access_log:
            status = (exchange.status or "500")[:3]
            line = '%s "%s" %s %d %.3fs' % (
                self.client_address[0], printable(self.requestline), status, exchange.bytes, seconds,
            )
            self.server.log(line)


def printable(line):
    """A line of the log stays one line, and moves no cursor."""
    return "".join(c if c.isprintable() else "\\x%02x" % ord(c) for c in line).replace('"', '\\"')


def error_page(status, text):
    shown = "<pre>%s</pre>" % html.escape(text) if text else "<p>The log of the service says more.</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>%(status)s</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;"
        "max-width:60rem;margin:3rem auto;padding:0 1rem}pre{overflow:auto;padding:1rem;border:1px solid #8888}"
        "</style><h1>%(status)s</h1>%(shown)s</html>\n" % {"status": html.escape(status), "shown": shown}
    )


# -------------------------------------------------------------------------------------------------------------------- server


class Server:
    """Accepts connections in the main thread, one thread for each; ends well on SIGTERM and SIGINT."""

    # More connections than this are turned away: each costs a thread.
    most_connections = 512

    def __init__(self, options, application):
        self.options = options
        self.application = application
        self.guard = Guard(options.share, options.host, options.url)
        self.working = threading.BoundedSemaphore(options.threads)
        self.stopping = False
        self.connections = {}
        self.changed = threading.Condition()
        self.listener = None
        self.port = options.port

    def listen(self):
        family, _, _, _, address = resolve(self.options.host, self.options.port)
        if not self.options.share and not ipaddress.ip_address(address[0]).is_loopback:
            raise Unloadable(
                "`%s` is reachable from other machines; set `share = true` if everybody may be answered" % self.options.host
            )
        inherited = inherited_listener()
        if inherited is not None:
            inherited.setblocking(False)
            self.listener, self.port = inherited, inherited.getsockname()[1]
            return
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address)
        except OSError as error:
            listener.close()
            raise Unloadable(
                "cannot listen on %s port %d: %s" % (self.options.host, self.options.port, error.strerror)
            ) from None
        listener.listen(128)
        listener.setblocking(False)
        self.listener = listener
        self.port = listener.getsockname()[1]

    def serve(self):
        """Until a signal asks to stop."""
        wake, awake = socket.socketpair()
        wake.setblocking(False)
        awake.setblocking(False)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self.stop)
        signal.set_wakeup_fd(awake.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self.forget)
        shown = self.options.url or "http://%s:%d/" % (self.options.host, self.port)
        self.log("serving %s on %s port %d" % (shown, self.options.host, self.port))
        notify("READY=1")
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not self.stopping:
                for key, _ in selector.select():
                    if key.fileobj is self.listener:
                        self.accept()
                    else:
                        wake.recv(64)
        self.drain()

    def stop(self, *_):
        self.stopping = True

    def forget(self):
        """A job that is forked keeps neither our sockets nor our signal handlers: it dies by SIGTERM as any process does."""
        signal.set_wakeup_fd(-1)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_DFL)
        for one in [self.listener, *self.connections]:
            try:
                os.close(one.detach())
            except (OSError, AttributeError):
                pass
        self.connections = {}

    def accept(self):
        try:
            connection, address = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            # Out of file descriptors: others will be closed soon; without the pause this would be a busy loop.
            self.log("cannot accept a connection: %s" % error.strerror)
            time.sleep(0.1)
            return
        connection.setblocking(True)
        with self.changed:
            full = len(self.connections) >= self.most_connections
            if not full:
                self.connections[connection] = None
        if full:
            turn_away(connection, "503 Service Unavailable", "too many connections")
            return
        threading.Thread(target=self.handle, args=(connection, address), daemon=True).start()

    def handle(self, connection, address):
        try:
            reason = self.guard.refuses_peer(connection)
            if reason:
                self.log("refused a connection from %s port %d: %s" % (address[0], address[1], reason))
                turn_away(connection, "403 Forbidden", reason)
                return
            handler = Connection.__new__(Connection)
            with self.changed:
                self.connections[connection] = handler
            handler.__init__(connection, address, self)
        except (OSError, ValueError):
            # The other end has gone, or we are closing.
            pass
        except Exception:
            self.log("error in a connection\n" + traceback.format_exc())
        finally:
            hang_up(connection)
            with self.changed:
                self.connections.pop(connection, None)
                self.changed.notify_all()

    def drain(self):
        """No new connections; idle ones end at once, busy ones when they have answered."""
        self.listener.close()
        deadline = time.monotonic() + self.options.grace
        with self.changed:
            while self.connections:
                for connection, handler in self.connections.items():
                    if handler is None or not getattr(handler, "busy", False):
                        end_reading(connection)
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(min(left, 0.2))
            open_still = len(self.connections)
        self.log("stopped" + (", %d requests were not finished" % open_still if open_still else ""))

    @staticmethod
    def log(line):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def resolve(host, port):
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise Unloadable("`%s` is no address to listen on: %s" % (host, error.strerror)) from None


def inherited_listener():
    """The socket that a supervisor holds for us, which outlives this process: nobody is refused while we are replaced."""
    pid, count = os.environ.pop("LISTEN_PID", None), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or count == "0":
        return None
    inherited = socket.socket(fileno=3)
    os.set_inheritable(3, False)
    return inherited


def notify(text):
    """Tells the supervisor, if it listens. What the application forks does not speak for us."""
    address = os.environ.pop("NOTIFY_SOCKET", None)
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.sendto(text.encode("utf-8"), "\0" + address[1:] if address.startswith("@") else address)


def turn_away(connection, status, text):
    body = (text + "\n").encode("utf-8")
    head = "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    try:
        connection.settimeout(2)
        connection.sendall((head % (status, len(body))).encode("latin-1") + body)
    except OSError:
        pass
    hang_up(connection)


def end_reading(connection):
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass


def hang_up(connection, patience=2.0):
    """Closes after the other end has read our answer: closing with its request unread would throw the answer away."""
    deadline = time.monotonic() + patience
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(patience)
        while time.monotonic() < deadline and connection.recv(1 << 16):
            pass
    except OSError:
        pass
    connection.close()


# ---------------------------------------------------------------------------------------------------------------------- main


def ours(name):
    """A module of ours, which is none of the application's: one of that name may be its own."""
    found = importlib.util.spec_from_file_location(name, os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py"))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def build(options):
    """The application with everything around it."""
    application = load(options.app, options.source)
    static = [(path, beside(options.source, folder)) for path, folder in options.static]
    if static or options.untrusted:
        application = Files(application, static, options.untrusted)
    if options.mount != "/":
        application = Mount(application, options.mount)
    return application


def main(arguments):
    options = parse(arguments)
    sys.dont_write_bytecode = True
    if options.debug:
        os.environ.setdefault("FLASK_DEBUG", "1")
    try:
        prepare_path(options.source)
        if options.run is not None:
            run(options.run, options.source)
            return 0
        application = build(options)
        if options.health:
            people = urllib.parse.urlsplit(options.url or "http://%s:%d" % (options.host, options.port))
            url = "%s://%s%s/" % (people.scheme, people.netloc, options.mount.rstrip("/"))
            problem = ours("first").ask(application, url, options.health)
            if problem:
                raise Unloadable(problem)
        if options.check:
            end_jobs()
            return 0
        server = Server(options, application)
        server.listen()
    except Unloadable as error:
        sys.stderr.write("error: %s\n" % error)
        return 1
    server.serve()
    end_jobs()
    return 0


def end_jobs():
    """Python would wait at its end for the jobs that the application forked; they end with the service."""
    if "multiprocessing" in sys.modules:
        for job in sys.modules["multiprocessing"].active_children():
            job.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
