#!/usr/bin/env python3
"""Loads a site on kept connections and counts what a browser's user would notice.

    load.py [--connections N] [--seconds N] https://127.0.0.1:8443/

wrk is quicker and counts every connection that ends before its answer as an error (`read`). A browser asks again, once, if the
connection had served before and nothing of the answer had come: that is how a server closes a connection that nobody uses (RFC
9112, 9.3.1). This one does as browsers do, and says how often: `again`. A request has failed if it was answered with 400 or more
(`status`), or not: no connection (`connect`), one that ended in the middle of the answer, before the first answer on it, or when
asked again (`cut`), and nothing for 20 s (`timeout`). One thread, one poll, no library between: some ten thousand requests a second.

It prints one line of JSON: the counts, latencies in ms, and the longest time without any good answer, of pages and of files.
"""

import argparse
import json
import select
import signal
import socket
import ssl
import sys
import time
import urllib.parse

PATIENCE = 20.0
SLOW, PAGE, FILE = "/slow", "/", "/static/page.css"


class Connection:
    """One at a time of a user: asked, answered, asked again."""

    def __init__(self, load, number):
        self.load, self.number = load, number
        self.socket, self.target = None, None

    def begin(self):
        """Connects; what is to be asked is asked when it is there."""
        self.served = 0
        if self.target is None:
            self.target, self.begun, self.retried = self.load.next(), time.perf_counter(), False
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = plain.connect_ex(self.load.address)
        if failed not in (0, 115):
            plain.close()
            return self.lost("connect")
        self.shaking = self.load.tls is not None
        self.socket = self.load.tls.wrap_socket(plain, server_hostname=self.load.host, do_handshake_on_connect=False) if self.shaking else plain
        self.load.connections[self.socket.fileno()] = self
        self.load.poll.register(self.socket.fileno(), select.EPOLLOUT)
        self.fresh = True

    def end(self):
        if self.socket:
            del self.load.connections[self.socket.fileno()]
            self.load.poll.unregister(self.socket.fileno())
            self.socket.close()
            self.socket = None

    def ask(self):
        self.buffer = b""
        try:
            self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (self.target.encode(), self.load.host.encode()))
        except OSError:
            self.closed()

    def closed(self):
        """The connection ended before the answer did."""
        if self.served and not self.buffer and not self.retried:
            self.load.count["again"] += 1
            self.retried = True
            self.end()
            self.begin()
        else:
            self.lost("cut")

    def lost(self, kind):
        """The request failed; the next one begins anew, a moment later, as nobody is served by a thousand tries a second."""
        self.load.count[kind] += 1
        self.load.count["requests"] += 1
        self.target = None
        self.end()
        self.load.later.append((time.perf_counter() + 0.01, self))

    def ready(self):
        """Something can be read or written."""
        if self.fresh:
            return self.shake()
        while self.socket and not self.fresh:
            try:
                data = self.socket.recv(1 << 16)
            except (ssl.SSLWantReadError, BlockingIOError):
                return None
            except OSError:
                data = b""
            if not data:
                return self.closed()
            self.buffer += data
            if (end := self.buffer.find(b"\r\n\r\n")) >= 0 and self.whole(end):
                self.answered(self.buffer[:end].lower())

    def shake(self):
        try:
            if self.shaking:
                self.socket.do_handshake()
            elif failed := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(failed, "connect")
        except ssl.SSLWantReadError:
            return self.load.poll.modify(self.socket.fileno(), select.EPOLLIN)
        except ssl.SSLWantWriteError:
            return None
        except OSError:
            return self.lost("connect")
        self.shaking = self.fresh = False
        self.load.poll.modify(self.socket.fileno(), select.EPOLLIN)
        return self.ask()

    def whole(self, end):
        head = self.buffer[:end].lower()
        if (at := head.find(b"\r\ncontent-length:")) >= 0:
            return len(self.buffer) - end - 4 >= int(head[at + 17:].split(b"\r\n", 1)[0])
        return self.buffer.endswith(b"0\r\n\r\n")

    def answered(self, head):
        now, load = time.perf_counter(), self.load
        load.count["requests"] += 1
        self.served += 1
        if int(head[9:12]) >= 400:
            load.count["status"] += 1
        else:
            kind = "file" if self.target == FILE else "page"
            load.gap[kind] = max(load.gap[kind], now - load.last[kind])
            load.last[kind] = now
            if self.target != SLOW:
                load.waits.append(now - self.begun)
        self.target = None
        if b"\r\nconnection: close" in head:
            self.end()
            self.begin()
        else:
            self.target, self.begun, self.retried = load.next(), now, False
            self.ask()


class Load:
    """All connections, and what was counted."""

    def __init__(self, url, connections):
        parts = urllib.parse.urlsplit(url)
        self.host, self.address = parts.netloc, (parts.hostname, parts.port)
        self.tls = None
        if parts.scheme == "https":
            # Whose certificate it is does not matter here: it is made anew meanwhile.
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.poll, self.connections, self.later = select.epoll(), {}, []
        self.all = [Connection(self, number) for number in range(connections)]
        self.count = dict.fromkeys(("requests", "again", "connect", "cut", "status", "timeout"), 0)
        self.waits, self.number, self.stopped = [], 0, False
        self.last = dict.fromkeys(("page", "file"), time.perf_counter())
        self.gap = dict.fromkeys(self.last, 0.0)

    def next(self):
        """Pages, now and then a file, and rarely what takes two seconds."""
        self.number += 1
        return SLOW if self.number % 4000 == 7 else FILE if self.number % 4 == 0 else PAGE

    def run(self, seconds):
        begun = time.perf_counter()
        for connection in self.all:
            connection.begin()
        swept = begun
        while not self.stopped and (now := time.perf_counter()) < begun + seconds:
            for number, _ in self.poll.poll(0.01 if self.later else 0.1):
                if number in self.connections:
                    self.connections[number].ready()
            if self.later:
                due, self.later = [c for at, c in self.later if at <= now], [(at, c) for at, c in self.later if at > now]
                for connection in due:
                    connection.begin()
            if now > swept + 1:
                swept = now
                for connection in self.all:
                    if connection.target and now > connection.begun + PATIENCE:
                        connection.lost("timeout")
        return time.perf_counter() - begun

    def told(self, seconds):
        waits = sorted(self.waits) or [0.0]
        # What has not been answered at the end is a gap as well.
        gap = {kind: max(self.gap[kind], time.perf_counter() - self.last[kind]) for kind in self.gap}
        return {**self.count, "seconds": seconds, "p50": 1e3 * waits[len(waits) // 2], "p99": 1e3 * waits[len(waits) * 99 // 100],
                "longest": 1e3 * waits[-1], "page_gap": 1e3 * gap["page"], "file_gap": 1e3 * gap["file"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10, help="so long, or until it is interrupted")
    parser.add_argument("url")
    options = parser.parse_args()
    load = Load(options.url, options.connections)
    signal.signal(signal.SIGINT, lambda *_: setattr(load, "stopped", True))
    print(json.dumps(load.told(load.run(options.seconds))))


if __name__ == "__main__":
    sys.exit(main())
