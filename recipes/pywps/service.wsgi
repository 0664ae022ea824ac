"""PyWPS as one WSGI application: the service, a page for people, and order among the outputs.

Runs below any WSGI server. Its configuration is the file that `PYWPS_CFG` names; what PyWPS does not know is in its section
`[jove]`. The server in front serves `/outputs` and `/page`. Run as a script, it makes the tables of the logging database, where they
are missing; with the word `tidy` it then removes what is older than it is kept.
"""

import copy
import datetime
import fcntl
import gc
import html
import importlib
import inspect
import ipaddress
import logging
import multiprocessing
import os
import shutil
import socket
import string
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True

# Imported, PyWPS reads its configuration, and before that takes defaults from these two, unescaped: it fails over `%`, and over
# what becomes `%20` in an address. The file says all that these defaults would.
_temporary, _program = tempfile.tempdir, sys.argv[0]
tempfile.tempdir, sys.argv[0] = "/", "/"

import pywps  # noqa: E402
import sqlalchemy  # noqa: E402
from lxml import etree  # noqa: E402
from pywps import configuration, dblog  # noqa: E402
from pywps.exceptions import FileURLNotSupported, InvalidParameterValue  # noqa: E402
from pywps.inout.basic import UrlHandler  # noqa: E402
from pywps.inout.storage.file import FileStorage  # noqa: E402
from pywps.response.status import WPS_STATUS  # noqa: E402

tempfile.tempdir, sys.argv[0] = _temporary, _program

# PyWPS hands a job its request by forking; newer Pythons would start an empty process and fail to send it over.
multiprocessing.set_start_method("fork", force=True)

HERE = os.path.dirname(os.path.abspath(__file__))
LOGGER = logging.getLogger("PYWPS")


def setting(section, name):
    return configuration.get_config_value(section, name)


def configure_logging():
    """To the service's output, without a time: the log has one already."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(setting("logging", "level"))


def quiet_statements():
    """At the level DEBUG PyWPS makes the database library print each statement; a handler of ours keeps it from adding one."""
    statements = logging.getLogger("sqlalchemy.engine.Engine")
    statements.addHandler(logging.NullHandler())
    statements.propagate = False


quiet_statements()

# ---------------------------------------------------------------------------------------------------------------- processes


def load_processes(names):
    """The processes that `module:attribute` names offer, each identifier once."""
    found = {}
    for name in names:
        for process in offered(name):
            if process.identifier in found:
                sys.exit("error: two processes are called `%s`; the second is in %s" % (process.identifier, name))
            found[process.identifier] = process
    if not found:
        sys.exit("error: no processes are offered; set the option `processes`")
    return list(found.values())


def offered(name):
    module, _, attribute = name.strip().partition(":")
    attribute = attribute or "PROCESSES"
    try:
        value = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise
        sys.exit("error: there is no Python module `%s` (option `processes`); looked in %s" % (module, ", ".join(sys.path[:2])))
    except AttributeError:
        sys.exit("error: `%s` has no `%s` (option `processes`)" % (module, attribute))
    for one in value if isinstance(value, (list, tuple)) else [value]:
        one = one() if inspect.isclass(one) else one
        if not isinstance(one, pywps.Process):
            sys.exit("error: `%s` holds %r, which is no PyWPS process" % (name, one))
        yield one


# ----------------------------------------------------------------------------------------------------- inputs by reference


def check_reference(address):
    """Refuses an address that the option `references` does not allow."""
    parts = urllib.parse.urlsplit(address)
    allowed = setting("jove", "references")
    if parts.scheme == "file":
        return check_file(parts.path)
    if allowed == "none":
        raise InvalidParameterValue("Inputs by reference are not accepted by this service", "href")
    if parts.scheme not in ("http", "https", "ftp") or not parts.hostname:
        raise InvalidParameterValue("Inputs are not fetched from addresses of this kind", "href")
    if allowed == "public" and not is_public(parts.hostname):
        raise InvalidParameterValue("Inputs are fetched from public addresses only", "href")


def check_file(path):
    """Within an allowed folder, links followed (PyWPS compares beginnings of names: `/data` would allow `/database`)."""
    path = os.path.realpath(urllib.parse.unquote(path))
    for folder in setting("server", "allowedinputpaths").split(os.pathsep):
        if folder and path.startswith(os.path.realpath(folder).rstrip(os.sep) + os.sep):
            return
    raise FileURLNotSupported()


def is_public(host):
    """Whether all addresses of a host are of the internet at large: not this machine, not its own network."""
    try:
        found = {entry[4][0].partition("%")[0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(one).is_global for one in found)


def open_address(href, data=None):
    """In place of PyWPS's own: with time limits, and each hop of a redirection checked as the first address was."""
    import requests

    check_reference(href)
    session = requests.Session()

    def check_hop(response, **_):
        target = session.get_redirect_target(response)
        if target:
            check_reference(urllib.parse.urljoin(response.url, target))

    session.hooks["response"].append(check_hop)
    if data is not None:
        return session.post(href, data=data, stream=True, timeout=(10, 60))
    return session.get(href, stream=True, timeout=(10, 60))


class Service(pywps.Service):
    """PyWPS, with references checked before a job is accepted, and working folders that show whether a job is in them."""

    def prepare_process_for_execution(self, identifier):
        process = super().prepare_process_for_execution(identifier)
        process.stay = Stay(process.workdir)
        process.set_workdir(process.stay.folder)
        return process

    def create_complex_inputs(self, source, inputs):
        for one in inputs:
            for address in (one.get("href"), one.get("bodyreference")):
                if address:
                    check_reference(address)
        return super().create_complex_inputs(source, inputs)


# ------------------------------------------------------------------------------------------------------ outputs and status


def write_whole(self, data, destination, data_format=None):
    """In place of PyWPS's own: a client that asks for a status never reads half of one."""
    os.makedirs(self.target, exist_ok=True)
    handle, path = tempfile.mkstemp(prefix=".", dir=self.target)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(data)
        os.chmod(path, 0o600)
        os.replace(path, os.path.join(self.target, destination))
    except BaseException:
        os.unlink(path)
        raise
    return self.url(destination)


UNFINISHED = [WPS_STATUS.ACCEPTED, WPS_STATUS.STARTED, WPS_STATUS.PAUSED]


def fail_lost_jobs():
    """Jobs that ended with the last run of the service: their status must not say for ever that they go on."""
    session = dblog.get_session()
    rows = session.query(dblog.ProcessInstance).filter(
        dblog.ProcessInstance.operation == "execute",
        dblog.ProcessInstance.status.in_(UNFINISHED),
    )
    waiting = {row.uuid for row in session.query(dblog.RequestInstance)}
    lost = [row.uuid for row in rows if row.uuid not in waiting]
    session.close()
    message = "The service was stopped while this job was running."
    for uuid in lost:
        dblog.store_status(uuid, WPS_STATUS.FAILED, message, 100)
        path = os.path.join(setting("server", "outputpath"), "%s.xml" % os.path.basename(uuid))
        if os.path.isfile(path):
            fail_status(path, message)
    return len(waiting)


def fail_status(path, message):
    """Turns a status document (WPS 1.0) into one of a failed job."""
    try:
        tree = etree.parse(path)
    except (OSError, etree.XMLSyntaxError):
        return
    wps, ows = "{http://www.opengis.net/wps/1.0.0}", "{http://www.opengis.net/ows/1.1}"
    status = tree.getroot().find(wps + "Status")
    if status is None or status.find(wps + "ProcessSucceeded") is not None:
        return
    for child in list(status):
        status.remove(child)
    # In the namespaces in which PyWPS writes it.
    report = etree.SubElement(etree.SubElement(status, wps + "ProcessFailed"), wps + "ExceptionReport")
    exception = etree.SubElement(report, ows + "Exception", exceptionCode="NoApplicableCode", locator="None")
    etree.SubElement(exception, ows + "ExceptionText").text = message
    tree.write(path + ".new", xml_declaration=True, encoding="utf-8")
    os.replace(path + ".new", path)


def resume_jobs(service, count):
    """Jobs that were still waiting when the service was stopped; each that ends starts the next."""
    starter = copy.copy(next(iter(service.processes.values())))
    starter.service = service
    for _ in range(count):
        starter.launch_next_process()


class Stay:
    """A job's use of its working folder: a lock that the kernel holds as long as the request, or the job that it forks, lives."""

    def __init__(self, folder):
        self.handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.handle, fcntl.LOCK_SH)
        # Under this name it is looked at, and not before it is locked.
        self.folder = os.path.join(os.path.dirname(folder), os.path.basename(folder).replace(Work.fresh, Work.used, 1))
        os.rename(folder, self.folder)

    def __del__(self):
        os.close(self.handle)


class Work:
    """Removes working folders that nobody is in any more: PyWPS leaves those of jobs that were killed or refused, and the first
    one of a job that had to wait. Looked at when jobs are asked for, as outputs are."""

    between = 10
    fresh = "pywps_process_"
    used = "pywps_job_"

    def __init__(self, folder):
        self.folder = folder
        self.next = 0.0
        self.lock = threading.Lock()

    def tidy(self):
        now = time.monotonic()
        with self.lock:
            if now < self.next:
                return
            self.next = now + self.between
        left = [entry.path for entry in os.scandir(self.folder) if entry.name.startswith(self.used)]
        if left:
            # A request that is over may not have let go of its folder yet.
            gc.collect()
        for path in left:
            self.remove(path)

    def clear(self):
        """Before the first job of a run."""
        for entry in list(os.scandir(self.folder)):
            if entry.name.startswith((self.fresh, self.used)):
                self.remove(entry.path)

    @staticmethod
    def remove(path):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


class Outputs:
    """Removes outputs that are older than they are kept, and the database's memory of requests that are over. At the times of
    `tidy_at`; without them when jobs are asked for, so that an idle service sleeps."""

    between = 3600

    def __init__(self, folder, keep, keep_requests):
        self.folder = folder
        self.keep = keep
        self.keep_requests = keep_requests
        self.next = 0.0
        self.lock = threading.Lock()

    def tidy(self):
        now = time.time()
        with self.lock:
            if now < self.next:
                return
            self.next = now + self.between
        self.remove_old(now)

    def remove_old(self, now):
        """How many jobs' outputs were removed, and how many requests were forgotten."""
        removed = forgotten = 0
        if self.keep:
            # Asked for first: a job that ends meanwhile writes its outputs then, and one that begins has none that are old.
            unfinished = unfinished_jobs()
            for job, paths in self.by_job().items():
                if job not in unfinished and now - max(map(newest, paths)) >= self.keep:
                    for path in paths:
                        remove(path)
                    removed += 1
        if self.keep_requests:
            forgotten = forget_requests(datetime.datetime.fromtimestamp(now - self.keep_requests))
        return removed, forgotten

    def by_job(self):
        """What is in the folder, by job: its status document `JOB.xml` and its outputs `JOB/` are as old as the newest of them."""
        found = {}
        for entry in os.scandir(self.folder):
            job = entry.name.removesuffix(".xml")
            if entry.name != NOTE:
                found.setdefault(job, []).append(entry.path)
        return found


def newest(path):
    """When something in a file or folder was last changed; long ago if it is gone already."""
    times = [0.0]
    for folder, folders, files in os.walk(path):
        times += map(changed, (os.path.join(folder, name) for name in folders + files))
    return max(changed(path), *times)


def changed(path):
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def remove(path):
    """A file, a link or a folder; another process may remove it, too."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def unfinished_jobs():
    """Jobs that run or wait: what is theirs stays, however long they take."""
    session = dblog.get_session()
    try:
        running = session.query(dblog.ProcessInstance.uuid).filter(dblog.ProcessInstance.status.in_(UNFINISHED))
        return {row.uuid for row in running} | {row.uuid for row in session.query(dblog.RequestInstance.uuid)}
    finally:
        session.close()


def forget_requests(before):
    """Drops the rows of requests that were over before that time; how many."""
    row = dblog.ProcessInstance
    session = dblog.get_session()
    try:
        is_old = sqlalchemy.func.coalesce(row.time_end, row.time_start) < before
        is_over = sqlalchemy.or_(row.status.is_(None), ~row.status.in_(UNFINISHED))
        waiting = session.query(dblog.RequestInstance.uuid)
        count = session.query(row).filter(is_old, is_over, ~row.uuid.in_(waiting)).delete(synchronize_session=False)
        session.commit()
        return count
    finally:
        session.close()


# ---------------------------------------------------------------------------------------------------------------- the page

NOTE = "README.txt"


def write_note(folder):
    """Says what the folder is; also what a check after installing asks for, to see that outputs are served."""
    with open(os.path.join(folder, NOTE), "w", encoding="utf-8") as file:
        file.write("Here are the outputs of jobs and their status documents. Old outputs are removed.\n")


def render_page(processes):
    """The page, its texts filled in once: nothing of it changes while the service runs."""
    with open(os.path.join(HERE, "page", "index.html"), encoding="utf-8") as file:
        template = string.Template(file.read())
    entry = (
        '<li class="process" id="process-%(id)s" data-process="%(id)s"><h3>%(title)s <code>%(id)s</code></h3><p>%(abstract)s</p>'
        '<p class="links"><a href="wps?service=WPS&amp;version=1.0.0&amp;request=DescribeProcess&amp;identifier=%(url)s">'
        "Description (XML)</a></p></li>"
    )
    entries = [
        entry % {
            "id": html.escape(process.identifier), "url": html.escape(urllib.parse.quote(process.identifier)),
            "title": html.escape(process.title), "abstract": html.escape(process.abstract or ""),
        }
        for process in processes
    ]
    provider = setting("metadata:main", "provider_name")
    return template.substitute(
        title=html.escape(str(setting("metadata:main", "identification_title"))),
        abstract=html.escape(str(setting("metadata:main", "identification_abstract"))),
        provider=html.escape("Provided by %s. " % provider if provider else ""),
        url=html.escape(setting("server", "url")),
        language=html.escape(str(setting("server", "language")).split(",")[0]),
        count=str(len(processes)),
        processes="\n".join(entries),
        version=html.escape(pywps.__version__),
    ).encode("utf-8")


class Application:
    """Hands each request to PyWPS or to the page."""

    def __init__(self, service, page, tidied):
        self.service = service
        self.page = page
        self.tidied = tidied

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "").rstrip("/")
        if path == "/wps" or (path == "" and self.is_for_service(environ)):
            for one in self.tidied:
                one.tidy()
            return self.service(environ, start_response)
        if path == "" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return answer(start_response, "200 OK", "text/html", self.page)
        return answer(start_response, "404 Not Found", "text/plain", b"There is nothing here. The service is at /wps.\n")

    @staticmethod
    def is_for_service(environ):
        """The page's address is the one that people paste into a WPS client."""
        query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return environ["REQUEST_METHOD"] == "POST" or any(name.lower() == "service" for name in query)


def answer(start_response, status, kind, body):
    policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " \
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    start_response(status, [
        ("Content-Type", kind + "; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ])
    return [body]


# -------------------------------------------------------------------------------------------------------------------- start


def find_outputs():
    keep, keep_requests = (float(setting("jove", name)) for name in ("keep_outputs", "keep_requests"))
    return Outputs(setting("server", "outputpath"), keep, keep_requests)


def make_application():
    if not setting("server", "outputurl").endswith("/outputs/"):
        sys.exit("error: the option `url` must end with `/`")
    configure_logging()
    processes = load_processes(setting("jove", "processes").split(","))
    UrlHandler._openurl = staticmethod(open_address)
    FileStorage.write = write_whole
    service = Service(processes)
    outputs = find_outputs()
    write_note(outputs.folder)
    waiting = fail_lost_jobs()
    tidied = [] if setting("jove", "tidy_at") else [outputs]
    if setting("server", "cleantempdir"):
        work = Work(setting("server", "workdir"))
        work.clear()
        tidied.append(work)
    resume_jobs(service, min(waiting, max(1, int(setting("server", "parallelprocesses")))))
    # Worker processes that are forked from this one must not share its connection.
    dblog._SESSION_MAKER = None
    # Nor hold folders of jobs that it began.
    gc.collect()
    return Application(service, render_page(processes), tidied)


def make_tables():
    try:
        dblog.get_session().close()
    except Exception as error:  # whatever the database's own library raises
        sys.exit("error: cannot make the tables of the logging database: %s: %s" % (type(error).__name__, error))


def tidy():
    print("removed the outputs of %d jobs, and forgot %d requests" % find_outputs().remove_old(time.time()))


if __name__ == "__main__":
    make_tables()
    if sys.argv[1:] == ["tidy"]:
        tidy()
else:
    application = make_application()
