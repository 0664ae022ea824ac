"""Letters in the database that DATABASE_URL names."""

import os
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from flask import Flask, request, url_for

app = Flask(__name__)
EDITION = "first edition"


def database():
    parts = urlsplit(os.environ["DATABASE_URL"])
    place = {"unix_socket": parse_qs(parts.query)["unix_socket"][0]}
    user, password, name = map(unquote, (parts.username, parts.password, parts.path[1:]))
    # PyMySQL takes a text for Latin-1, the server for UTF-8.
    return pymysql.connect(user=user, password=password.encode(), database=name, autocommit=True, **place)


@app.get("/")
def index():
    with database() as one, one.cursor() as cursor:
        cursor.execute("create table if not exists letters (text varchar(200))")
        cursor.execute("insert into letters values ('Grüße, 山')")
        cursor.execute("select count(*), max(text), current_user(), database() from letters")
        letters = "%s %s as %s in %s" % cursor.fetchone()
    kind = "mod_wsgi" if any(key.startswith("mod_wsgi.") for key in request.environ) else "another server"
    return "%s, %s by %s at %s" % (EDITION, letters, kind, url_for("index", _external=True))


@app.get("/databases")
def databases():
    with database() as one, one.cursor() as cursor:
        cursor.execute("show databases")
        return " ".join(sorted(name for name, in cursor.fetchall()))


@app.get("/peek")
def peek():
    """Whether this application, if somebody took it over, could read what is of others or write beside its data."""
    root = os.environ["JOVE_DATA"].rsplit("/var/", 1)[0]
    tried = (("state.toml", "r"), ("var/web/note", "w"), ("var/web/tls/certificate.pem", "r"), ("run/web/nginx.pid", "r"))
    return "reached:" + " ".join(path for path, mode in tried if can(os.path.join(root, path), mode))


def can(path, mode):
    try:
        open(path, mode).close()
        return True
    except PermissionError:
        return False


@app.get("/health")
def health():
    return "well"
