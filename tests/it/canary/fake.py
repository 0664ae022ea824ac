"""Every program of every server, as far as a supervisor sees it: `fake.py` under its name. It does none of its work, but notes its
arguments, which everybody can see, below the first folder of its sandbox that it may write to.
"""

import http.server
import os
import re
import signal
import socket
import sys


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self):
        return "-"


class OfSupervisor(http.server.HTTPServer):
    """On the socket that the supervisor holds, and tells it that it is ready."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers, bind_and_activate=False)
        self.socket = socket.socket(fileno=3)
        notice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notice.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


def broker(port):
    server = socket.create_server(("127.0.0.1", int(port)))
    while True:
        server.accept()[0].close()


def main(name):
    with open("@NOTES@", "a") as notes:
        notes.write(" ".join(sys.argv) + "\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if name == "initdb":
        os.mkdir(re.sub("^--pgdata=", "", sys.argv[1]))
    elif name == "epmd":
        broker(option("-port"))
    elif name == "rabbitmq-broker":
        broker(sys.argv[1])
    elif name == "gunicorn":
        OfSupervisor().serve_forever()
    elif name == "apache2" and "-t" not in sys.argv:
        host, port = re.search(r"^Listen (.*):(.*)$", open(option("-f")).read(), re.M).groups()
        http.server.HTTPServer((host, int(port)), Answers).serve_forever()
    elif name in ("mariadbd", "postgres", "redis-server") and "--bootstrap" not in sys.argv:
        while True:
            signal.pause()
    elif not sys.stdin.isatty():
        sys.stdin.read()


main(os.path.basename(sys.argv[0]))
