"""Runs what `serve.py` would serve on gunicorn: several worker processes behind one unix socket.

    workers.py SETTINGS FOLDER [arguments of serve.py]

gunicorn is the one of the application's own environment, else that of the environment in FOLDER, whose packages come last.
"""

import glob
import os
import sys

import serve


def find_gunicorn(folder):
    try:
        import gunicorn  # noqa: F401
    except ImportError:
        sys.path += glob.glob(os.path.join(folder, "lib", "python3*", "site-packages"))


def main(arguments):
    sys.dont_write_bytecode = True
    settings, folder = arguments[:2]
    options = serve.parse(arguments[2:])
    if options.debug:
        os.environ.setdefault("FLASK_DEBUG", "1")
    serve.prepare_path(options.source)
    find_gunicorn(folder)
    from gunicorn.app.base import Application

    class Site(Application):
        def init(self, parser, opts, args):
            """Everything is in the settings."""

        def load_config(self):
            super().load_config()
            self.cfg.set("worker_exit", lambda server, worker: serve.end_jobs())

        def load(self):
            return serve.build(options)

    sys.argv = ["gunicorn", "--config=" + settings]
    try:
        Site("%(prog)s").run()
    except serve.Unloadable as error:
        sys.stderr.write("error: %s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
