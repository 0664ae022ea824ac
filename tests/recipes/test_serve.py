"""`recipes/wsgi/serve.py` against real sockets, real applications and bad clients.

Run by hand or by CI with any Python from 3.9: `python -B tests/recipes/test_serve.py`. Cases for Flask, Django and Pyramid run where
these packages are installed.
"""

import contextlib
import http.client
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

SERVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "recipes", "wsgi", "serve.py")

PLAIN = """
    import os, sys, time, threading

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/echo":
            body = environ["wsgi.input"].read()
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [body]
        if path == "/ignore":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"not read"]
        if path == "/stream":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return (b"piece %d\\n" % number for number in range(3))
        if path == "/environ":
            start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return ["\\n".join("%s=%s" % entry for entry in sorted(environ.items())).encode("utf-8")]
        if path == "/fail":
            raise ValueError("<b>broken</b>")
        if path == "/fail-late":
            start_response("200 OK", [("Content-Type", "text/plain")])
            def late():
                yield b"first"
                raise ValueError("late")
            return late()
        if path == "/short":
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10")])
            return [b"four"]
        if path == "/split":
            start_response("200 OK", [("X-Bad", "a\\r\\nSet-Cookie: b")])
            return [b""]
        if path == "/empty":
            start_response("204 No Content", [])
            return []
        if path == "/write":
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            write(b"written ")
            return [b"and returned"]
        if path == "/slow":
            open(os.environ["MARK"], "w").close()
            while not os.path.exists(os.environ["MARK"] + ".go"):
                time.sleep(0.01)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"slow but whole"]
        if path == "/fork":
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(pid).encode()]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello from " + environ["SCRIPT_NAME"].encode() + b"|" + path.encode("latin-1")]

    def factory():
        return application

    number = 7
"""


class Running:
    """A server in a process of its own, on a port that the kernel chose."""

    def __init__(self, folder, *arguments, **variables):
        self.log_path = os.path.join(folder, ".log")
        self.log_file = open(self.log_path, "w+")
        self.process = subprocess.Popen(
            [sys.executable, SERVE, "--port=0", "--source=" + folder, *arguments],
            stderr=self.log_file, stdout=self.log_file, cwd=tempfile.gettempdir(), start_new_session=True,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables},
        )
        self.port = None
        while self.port is None and self.process.poll() is None:
            found = re.search(r"serving .* on .* port (\d+)", self.log())
            if found:
                self.port = int(found.group(1))
            else:
                # Woken by the end of the process, or looks again.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.02)

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def __enter__(self):
        if self.port is None:
            raise AssertionError("the server did not start:\n" + self.log())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            if self.process.wait(20) is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.log_file.close()

    def ask(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            if own:
                connection.close()

    def raw(self, data):
        """Everything that comes back for some bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


class Case(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = os.path.join(holder.name, "söurce folder")
        os.mkdir(self.folder)
        self.write("plain.py", PLAIN)

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def start(self, *arguments, **variables):
        running = Running(self.folder, *arguments, **variables)
        self.addCleanup(running.__exit__)
        return running.__enter__()

    def refused(self, *arguments, **variables):
        """What a server says that does not start."""
        running = Running(self.folder, *arguments, **variables)
        self.addCleanup(running.__exit__)
        self.assertIsNone(running.port)
        self.assertEqual(running.process.returncode, 1, running.log())
        return running.log()


class Http(Case):
    def test_requests(self):
        server = self.start("plain:application")
        for method, path, body, status, expected in [
            ("GET", "/a%20b", None, 200, b"hello from |/a b"),
            ("POST", "/echo", b"x" * 300000, 200, b"x" * 300000),
            ("PUT", "/echo", b"put", 200, b"put"),
            ("GET", "/stream", None, 200, b"piece 0\npiece 1\npiece 2\n"),
            ("HEAD", "/stream", None, 200, b""),
            ("GET", "/empty", None, 204, b""),
            ("GET", "/write", None, 200, b"written and returned"),
            ("POST", "/ignore", b"y" * 100000, 200, b"not read"),
        ]:
            with self.subTest(method=method, path=path):
                answer, got = server.ask(method, path, body)
                self.assertEqual((answer.status, got), (status, expected))

    def test_many_requests_on_one_connection(self):
        server = self.start("plain:application")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        self.addCleanup(connection.close)
        connection.connect()
        first = connection.sock
        for path, body in [("/", None), ("/ignore", b"z" * 5000), ("/stream", None), ("/echo", b"again"), ("/empty", None)]:
            answer, _ = server.ask("POST", path, body, connection=connection)
            self.assertIn(answer.status, (200, 204))
            self.assertIs(connection.sock, first, path)

    def test_chunked_body(self):
        server = self.start("plain:application")
        answer, got = server.ask("POST", "/echo", iter([b"one ", b"two"]))
        self.assertEqual((answer.status, got), (200, b"one two"))

    def test_expect_continue(self):
        server = self.start("plain:application", "--max-body=10")
        head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head % 4)
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"body")
            self.assertIn(b"\r\n\r\nbody", b"".join(iter(lambda: connection.recv(65536), b"")))
        self.assertTrue(server.raw(head % 400).startswith(b"HTTP/1.1 413 "))

    def test_what_is_wrong_is_refused(self):
        server = self.start("plain:application", "--max-body=1000")
        for sent, status in [
            (b"rubbish\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
            (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
            (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", b"400"),
            (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", b"413"),
            (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n", b"413"),
            (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nshort", b"400"),
            (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
            (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", b"431"),
            (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
            (b"GET / HTTP/3.0\r\n\r\n", b"505"),
        ]:
            with self.subTest(sent=sent[:60]):
                answer = server.raw(sent)
                self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer[:200])
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertEqual(server.ask("GET", "/")[0].status, 200)

    def test_a_refused_upload_still_reads_the_answer(self):
        server = self.start("plain:application", "--max-body=1000")
        answer, _ = server.ask("POST", "/echo", b"x" * 5_000_000)
        self.assertEqual(answer.status, 413)

    def test_environ(self):
        server = self.start("plain:application")
        _, got = server.ask("GET", "/environ?a=1&b=%C3%A4", headers={
            "X-Name": "ä", "Under_Score": "no", "Proxy": "http://evil.example", "Host": "localhost:%d" % server.port,
        })
        text = got.decode("utf-8")
        for expected in ["QUERY_STRING=a=1&b=%C3%A4", "HTTP_X_NAME=ä", "SERVER_PROTOCOL=HTTP/1.1", "REMOTE_ADDR=127.0.0.1"]:
            self.assertIn(expected, text)
        for absent in ["UNDER_SCORE", "HTTP_PROXY"]:
            self.assertNotIn(absent, text)

    def test_failures_of_the_application(self):
        server = self.start("plain:application")
        answer, got = server.ask("GET", "/fail")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"broken", got)
        self.assertIn("ValueError: <b>broken</b>", server.log())
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            server.ask("GET", "/fail-late")
        with self.assertRaises(http.client.IncompleteRead):
            server.ask("GET", "/short")
        self.assertEqual(server.ask("GET", "/split")[0].status, 500)

    def test_debug_shows_the_traceback(self):
        server = self.start("--debug=true", "plain:application")
        _, got = server.ask("GET", "/fail")
        self.assertIn(b"ValueError: &lt;b&gt;broken&lt;/b&gt;", got)

    def test_log_lines_stay_lines(self):
        server = self.start("plain:application")
        server.raw(b"GET /\x1b[31m\"x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertIn('"GET /\\x1b[31m\\"x HTTP/1.1"', server.log())


class Stopping(Case):
    def test_open_requests_are_finished(self):
        mark = os.path.join(self.folder, "mark")
        server = self.start("plain:application", MARK=mark)
        idle = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(idle.close)
        got = []
        asking = threading.Thread(target=lambda: got.append(server.ask("GET", "/slow")))
        asking.start()
        while not os.path.exists(mark):
            threading.Event().wait(0.01)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.recv(10), b"")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        self.write("mark.go", "")
        asking.join(20)
        self.assertEqual(got[0][1], b"slow but whole")
        self.assertEqual(got[0][0].getheader("Connection"), "close")
        self.assertEqual(server.process.wait(20), 0)

    def test_a_forked_job_holds_neither_port_nor_signal(self):
        server = self.start("plain:application")
        job = int(server.ask("GET", "/fork")[1])
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(20), 0)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", server.port))
            again.listen()
        os.kill(job, signal.SIGTERM)
        # Gone, or a zombie, which has no program: the link ends between two looks.
        with contextlib.suppress(FileNotFoundError):
            while os.readlink("/proc/%d/exe" % job):
                threading.Event().wait(0.01)


class Guarding(Case):
    def test_hosts(self):
        server = self.start("plain:application", "--url=http://wps.example:80/")
        for host, status in [("localhost", 200), ("127.0.0.1:1", 200), ("wps.example", 200), ("other.example", 421)]:
            with self.subTest(host=host):
                self.assertEqual(server.ask("GET", "/", headers={"Host": host})[0].status, status)

    def test_beyond_this_machine_only_if_shared(self):
        self.assertIn("set `share = true`", self.refused("--host=0.0.0.0", "plain:application"))
        server = self.start("--host=0.0.0.0", "--share=true", "plain:application")
        self.assertEqual(server.ask("GET", "/", headers={"Host": "any.example"})[0].status, 200)

    @unittest.skipUnless(os.getuid() == 0, "needs a second user")
    def test_other_users(self):
        ask = (
            "import os, socket, sys; os.setgid(65534); os.setuid(65534); c = socket.socket(); c.connect(('127.0.0.1', int(sys.argv[1])));"
            "c.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'); print(c.recv(12).decode()[-3:])"
        )
        for arguments, status in [([], "403"), (["--share=true"], "200")]:
            server = self.start(*arguments, "plain:application")
            done = subprocess.run(
                [sys.executable, "-I", "-c", ask, str(server.port)], capture_output=True, text=True, check=True
            )
            self.assertEqual(done.stdout.strip(), status)

    def test_a_port_that_is_taken(self):
        server = self.start("plain:application")
        said = self.refused("--port=%d" % server.port, "plain:application")
        self.assertIn("cannot listen on 127.0.0.1 port %d: Address already in use" % server.port, said)


class Folders(Case):
    def test_static(self):
        self.write("static/a.css", "a {}")
        self.write("static/sub/index.html", "<p>index")
        self.write("static/.hidden", "no")
        self.write("secret.txt", "no")
        os.symlink(os.path.join(self.folder, "secret.txt"), os.path.join(self.folder, "static", "link"))
        server = self.start("--static=/static=static", "plain:application")
        for path, status in [
            ("/static/a.css", 200), ("/static/sub/", 200), ("/static/", 404), ("/static/none", 404), ("/static/.hidden", 404),
            ("/static/link", 404), ("/static/../secret.txt", 404), ("/static/%2e%2e/secret.txt", 404), ("/staticx", 200),
            ("/static/a.css%00", 404), ("/static//a.css", 200),
        ]:
            with self.subTest(path=path):
                self.assertEqual(server.ask("GET", path)[0].status, status)
        answer, got = server.ask("GET", "/static/a.css")
        self.assertEqual((got, answer.getheader("Content-Type")), (b"a {}", "text/css; charset=utf-8"))
        again, got = server.ask("GET", "/static/a.css", headers={"If-Modified-Since": answer.getheader("Last-Modified")})
        self.assertEqual((again.status, got), (304, b""))
        self.assertEqual(server.ask("POST", "/static/a.css")[0].status, 405)

    def test_untrusted_files_run_nothing(self):
        self.write("outputs/x.svg", "<svg/>")
        server = self.start("--untrusted=/outputs=" + os.path.join(self.folder, "outputs"), "plain:application")
        answer, _ = server.ask("GET", "/outputs/x.svg")
        self.assertIn("sandbox", answer.getheader("Content-Security-Policy"))

    def test_mount(self):
        server = self.start("--mount=/shop", "plain:application")
        self.assertEqual(server.ask("GET", "/shop/a")[1], b"hello from /shop|/a")
        self.assertEqual(server.ask("GET", "/")[0].getheader("Location"), "/shop/")
        self.assertEqual(server.ask("GET", "/shopping")[0].status, 404)


class Loading(Case):
    def test_forms(self):
        self.write("wsgi/site.wsgi", PLAIN)
        self.write("package/inner.py", PLAIN)
        for app in ["plain:application", "plain", "plain:factory()", "wsgi/site.wsgi", "package.inner:application"]:
            with self.subTest(app=app):
                server = self.start(app)
                self.assertEqual(server.ask("GET", "/x")[1], b"hello from |/x")

    def test_what_cannot_be_loaded_says_why(self):
        self.write("broken.py", "import nowhere_to_be_found")
        self.write("empty.wsgi", "")
        for app, said in [
            ("nothing:application", "there is no Python module `nothing`"),
            ("plain:missing", "`plain` has no `missing`; its callables are: application, factory"),
            ("plain:number", "`plain:number` is int, which is no WSGI application"),
            ("broken:application", "No module named 'nowhere_to_be_found'"),
            ("none/site.wsgi", "there is no file"),
            ("empty.wsgi", "defines no `application`"),
            ("ini:none.ini", "there is no file"),
        ]:
            with self.subTest(app=app):
                self.assertIn(said, self.refused(app))

    def test_health(self):
        self.start("--health=/", "plain:application")
        self.assertIn("ValueError", self.refused("--health=/fail", "plain:application"))

    def test_check(self):
        for health, code, said in [("/", 0, ""), ("/fail", 1, "ValueError")]:
            arguments = ["--source=%s" % self.folder, "--check", "--health=" + health, "plain:application"]
            done = subprocess.run([sys.executable, SERVE, *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.stdout, done.returncode), ("", code), done.stderr)
            self.assertIn(said, done.stderr)

    def test_argument_file_and_script(self):
        self.write("manage.py", "import sys, plain; print('did', sys.argv[1:], plain.number); sys.exit(3)")
        arguments = self.write("serve.args", "# a comment\n--source=%s\n\n--threads=2\n" % self.folder)
        done = subprocess.run(
            [sys.executable, SERVE, "@" + arguments, "--run", "manage.py", "migrate", "--noinput"], capture_output=True, text=True
        )
        self.assertEqual((done.stdout, done.returncode), ("did ['migrate', '--noinput'] 7\n", 3), done.stderr)
        nothing = subprocess.run([sys.executable, SERVE, "@" + arguments, "--run"], capture_output=True, text=True)
        self.assertEqual((nothing.stdout, nothing.returncode), ("", 0), nothing.stderr)

    def test_nothing_is_written_into_the_source(self):
        before = self.listing()
        server = self.start("plain:application")
        server.ask("GET", "/")
        self.assertEqual(self.listing(), before)

    def listing(self):
        return sorted(os.path.join(at, name) for at, _, names in os.walk(self.folder) for name in names if name != ".log")


class Following(unittest.TestCase):
    """What `first.py` does beside gunicorn, with words of gunicorn's own for what it looks at."""

    class Simple:
        def __init__(self, **facts):
            self.__dict__.update(facts)

    def setUp(self):
        spec = importlib.util.spec_from_file_location("first", os.path.join(os.path.dirname(SERVE), "first.py"))
        self.first = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.first)

    def test_a_worker_asks_once_for_its_successor_before_its_last_request(self):
        calls = []
        before = signal.signal(signal.SIGTTIN, lambda *_: calls.append(1))
        self.addCleanup(signal.signal, signal.SIGTTIN, before)
        worker = self.Simple(nr=0, ppid=os.getpid(), max_requests=10, cfg=self.Simple(threads=2))
        told = []
        for worker.nr in range(10):
            self.first.follow(worker)
            told.append(len(calls))
        self.assertEqual(told, [0] * 8 + [1, 1])

    def test_the_master_goes_back_to_as_many_workers_as_were_asked_for(self):
        master = self.Simple(num_workers=4, cfg=self.Simple(workers=2))
        for expected in [3, 2, 2]:
            self.first.followed(master)
            self.assertEqual(master.num_workers, expected)

    def test_a_first_request_that_hangs_is_told(self):
        beats = []

        def hangs(environ, start_response):
            try:
                threading.Event().wait()
            except Exception as error:  # As frameworks do.
                return [str(error)]

        worker = self.Simple(wsgi=hangs, notify=lambda: beats.append(1), cfg=self.Simple(timeout=1))
        problem = self.first.ask_in_time(worker, "http://127.0.0.1/", "/health")
        self.assertEqual(problem, "the application has not answered `/health` within 1 s, so it is not started")
        self.assertTrue(beats, "gunicorn sees that it lives")
        worker.wsgi = lambda environ, start_response: start_response("200 OK", []) and []
        self.assertIsNone(self.first.ask_in_time(worker, "http://127.0.0.1/", "/health"))
        self.assertEqual(signal.getitimer(signal.ITIMER_REAL), (0, 0))

    def test_a_worker_ends_in_which_requests_hang(self):
        ended, beats, go = [], [], threading.Event()
        self.addCleanup(setattr, os, "_exit", os._exit)
        os._exit = ended.append
        clock = self.Simple(monotonic=lambda: clock.now, now=0)
        self.addCleanup(setattr, self.first, "time", self.first.time)
        self.first.time = clock
        began = threading.Barrier(2)

        def application(environ, start_response):
            began.wait()
            go.wait()

        worker = self.Simple(wsgi=application, notify=lambda: beats.append(1), alive=True, cfg=self.Simple(timeout=60))
        self.first.watch(worker)

        def ask(path):
            thread = threading.Thread(target=worker.wsgi, args=({"REQUEST_METHOD": "GET", "PATH_INFO": path}, None))
            thread.start()
            began.wait()
            self.addCleanup(thread.join)
            self.addCleanup(go.set)

        ask("/first")
        clock.now = 60
        ask("/second")
        worker.notify()
        self.assertEqual((worker.alive, ended), (True, []))
        clock.now = 62
        worker.notify()
        self.assertEqual((worker.alive, ended), (False, []), "the second may be answered yet")
        clock.now = 122
        worker.notify()
        self.assertEqual((ended, len(beats)), ([1], 3))


class Frameworks(Case):
    def needs(self, package):
        if importlib.util.find_spec(package) is None:
            self.skipTest(package + " is not installed")

    def test_flask(self):
        self.needs("flask")
        self.write("app.py", """
            from flask import Flask, request
            app = Flask(__name__)

            @app.post("/upload")
            def upload():
                return {"name": request.files["file"].filename, "size": len(request.files["file"].read()), "debug": app.debug}
        """)
        server = self.start("--debug=true", "app:app")
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + b"d" * 99 + b"\r\n--b--\r\n"
        answer, got = server.ask("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(answer.status, 200, got)
        self.assertIn(b'"size":99', got.replace(b" ", b""))
        self.assertIn(b'"debug":true', got.replace(b" ", b""))

    def test_django(self):
        self.needs("django")
        subprocess.run([sys.executable, "-B", "-m", "django", "startproject", "mysite", self.folder], check=True)
        server = self.start("mysite.wsgi:application", "--health=/")
        answer, got = server.ask("GET", "/")
        self.assertEqual(answer.status, 200)
        self.assertIn(b"django", got.lower())

    def test_paste_deploy(self):
        self.write("site.ini", """
            [app:main]
            use = call:pyramid_site:main
            greeting = hello
        """)
        self.write("pyramid_site.py", """
            from pyramid.config import Configurator
            from pyramid.response import Response

            def main(global_config, **settings):
                with Configurator(settings=settings) as config:
                    config.add_route("home", "/")
                    config.add_view(lambda request: Response(request.registry.settings["greeting"]), route_name="home")
                    return config.make_wsgi_app()
        """)
        if importlib.util.find_spec("paste") is None or importlib.util.find_spec("paste.deploy") is None:
            self.assertIn("needs the package `pastedeploy`", self.refused("ini:site.ini#main"))
            return
        self.needs("pyramid")
        for app in ["ini:site.ini#main", "ini:site.ini"]:
            server = self.start(app)
            self.assertEqual(server.ask("GET", "/")[1], b"hello")


if __name__ == "__main__":
    unittest.main()
