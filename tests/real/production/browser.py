"""A person before a browser: headless Chromium, told by the DevTools protocol what to do; prints what the person sees as JSON lines.

    browser.py PROGRAM CERTIFICATE STEP …

    open URL             goes there, and waits until the page is loaded
    choose SELECTOR FILE puts a file into a field for files
    write SELECTOR TEXT  types a text into a field, in the place of what is there
    press SELECTOR       presses on it with the mouse
    until EXPRESSION     waits until the page shows it
    say EXPRESSION       prints it

Of servers whose certificate no authority has signed only that with the key of CERTIFICATE is believed. Standard library alone.
"""

import base64
import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

# Far more than anything here needs.
PATIENCE = 60


def elements(der):
    """The elements that follow each other in a DER structure: each whole, and its content."""
    found, at = [], 0
    while at < len(der):
        length, start = der[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[at + 2 : start], "big")
        found.append((der[at : start + length], der[start : start + length]))
        at = start + length
    return found


def key_digest(path):
    """The digest of a certificate's public key, by which Chromium takes it."""
    with open(path, encoding="ascii") as file:
        pem = file.read()
    begin, end = pem.index("-----BEGIN CERTIFICATE-----"), pem.index("-----END CERTIFICATE-----")
    ((_, signed),) = elements(ssl.PEM_cert_to_DER_cert(pem[begin:end] + "-----END CERTIFICATE-----"))
    parts = elements(elements(signed)[0][1])
    # After the version (tag 0), the number, the algorithm, the issuer, the times and the subject.
    key, _ = parts[6 if parts[0][0][0] == 0xA0 else 5]
    return base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")


class Broken(Exception):
    """The browser refused, or the page changed meanwhile."""


class Browser:
    def __init__(self, program, certificate):
        self.folder = tempfile.mkdtemp()
        self.count, self.session, self.events, self.rest = 0, None, [], b""
        to_it, self.to_it = os.pipe()
        self.from_it, from_it = os.pipe()
        command = [
            program, "--remote-debugging-pipe", "--user-data-dir=" + self.folder, "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-dev-shm-usage",
        ]
        if certificate:
            command.append("--ignore-certificate-errors-spki-list=" + key_digest(certificate))
        if not may_make_namespaces():
            command.append("--no-sandbox")

        def in_place():
            # It listens on 3 and speaks on 4; by way of high ones, so that neither takes the place of the other.
            listening, speaking = fcntl.fcntl(to_it, fcntl.F_DUPFD_CLOEXEC, 10), fcntl.fcntl(from_it, fcntl.F_DUPFD_CLOEXEC, 10)
            os.dup2(listening, 3)
            os.dup2(speaking, 4)

        self.log = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            command, close_fds=False, preexec_fn=in_place, env=dict(os.environ, HOME=self.folder, TMPDIR=self.folder),
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
        )
        os.close(to_it)
        os.close(from_it)

    def begin(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def end(self):
        # With the processes of its pages, which write on for a moment when it alone is killed.
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(self.folder) and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.05)

    def message(self, deadline):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.from_it], [], [], max(0, deadline - time.monotonic()))
            got = os.read(self.from_it, 1 << 16) if ready else b""
            if not got:
                self.log.seek(0)
                raise SystemExit("the browser says no more: " + self.log.read().decode("utf-8", "replace")[-4000:])
            self.rest += got
        one, _, self.rest = self.rest.partition(b"\0")
        return json.loads(one)

    def ask(self, method, **values):
        self.count += 1
        asked = {"id": self.count, "method": method, "params": values}
        if self.session:
            asked["sessionId"] = self.session
        os.write(self.to_it, json.dumps(asked).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self.message(deadline)
            if said.get("id") == self.count:
                if "error" in said:
                    raise Broken(said["error"]["message"])
                return said["result"]
            self.events.append(said.get("method"))

    def value(self, expression, **more):
        got = self.ask("Runtime.evaluate", expression=expression, returnByValue=not more, awaitPromise=True, **more)
        if "exceptionDetails" in got:
            raise Broken(json.dumps(got["exceptionDetails"])[:2000])
        return got["result"]

    def open(self, url):
        self.events.clear()
        gone = self.ask("Page.navigate", url=url)
        if gone.get("errorText"):
            raise Broken(url + ": " + gone["errorText"])
        deadline = time.monotonic() + PATIENCE
        while "Page.loadEventFired" not in self.events:
            self.events.append(self.message(deadline).get("method"))

    def choose(self, words):
        selector, _, file = words.partition(" ")
        field = self.value("document.querySelector(%s)" % json.dumps(selector), objectGroup="page")
        self.ask("DOM.setFileInputFiles", files=[file], objectId=field["objectId"])

    def write(self, words):
        selector, _, text = words.partition(" ")
        self.value("document.querySelector(%s).select()" % json.dumps(selector))
        self.ask("Input.insertText", text=text)

    def press(self, selector):
        place = self.value(
            "(() => { const it = document.querySelector(%s); it.scrollIntoView({behavior: 'instant', block: 'center'});"
            " const box = it.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2} })()" % json.dumps(selector)
        )["value"]
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def until(self, expression):
        deadline = time.monotonic() + PATIENCE
        seen = None
        while time.monotonic() < deadline:
            try:
                if self.value("Boolean(%s)" % expression)["value"]:
                    return
                seen = self.value("document.documentElement.outerHTML")["value"]
            except Broken as error:
                # Another page comes.
                seen = str(error)
            time.sleep(0.05)
        raise SystemExit("never there: %s\n%s" % (expression, seen))

    def say(self, expression):
        print(json.dumps(self.value(expression).get("value")), flush=True)


def may_make_namespaces():
    """Whether this user may make the namespaces that Chromium shuts its pages in."""
    try:
        return subprocess.run(["unshare", "--user", "true"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def main(program, certificate, *steps):
    browser = Browser(program, certificate)
    try:
        browser.begin()
        for step in steps:
            verb, _, rest = step.partition(" ")
            {"open": browser.open, "choose": browser.choose, "write": browser.write, "press": browser.press,
             "until": browser.until, "say": browser.say}[verb](rest)
    except Broken as error:
        raise SystemExit("%s: %s" % (step, error)) from None
    finally:
        browser.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
