"""Asks an application behind a unix socket as its web server would.

    ask.py SOCKET URL [PATH [TEXT]]

SOCKET is the path of one, or `host:port`. Without PATH any answer below 500 will do; with it the status must be from 200 to 399, and the body must contain TEXT, if given.
"""

import http.client
import socket
import sys
import urllib.parse


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        if not self.path.startswith("/"):
            host, _, port = self.path.rpartition(":")
            self.sock = socket.create_connection((host, int(port)), self.timeout)
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def main(path, url, asked="", text=""):
    parts = urllib.parse.urlsplit(url)
    target = parts.path.rstrip("/") + "/" + asked.lstrip("/")
    connection = Connection(path)
    headers = {"Host": parts.netloc, "X-Forwarded-Proto": parts.scheme, "X-Forwarded-For": "127.0.0.1"}
    try:
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        print("%s is not answered: %s" % (target, error))
        return 1
    if answer.status >= (400 if asked else 500):
        print("%s is answered with %d %s: %s" % (target, answer.status, answer.reason, body[:300].strip()))
        return 1
    if text not in body:
        print("the answer to %s does not contain `%s`: %s" % (target, text, body[:300].strip()))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
