"""Keeps the numbers that it is given in the database that DATABASE_URL names."""

import contextlib
import os
import threading

import psycopg2


def ask(statement, *values):
    with contextlib.closing(psycopg2.connect(os.environ["DATABASE_URL"])) as one, one, one.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def health(query):
    # Workers that begin at once make it one after the other.
    ask("select pg_advisory_xact_lock(1); create table if not exists numbers (number bigint)")
    return "well"


def put(query):
    ask("insert into numbers values (%s)", int(query))
    return query


def kept(query):
    return " ".join(str(number) for number, in ask("select distinct number from numbers order by number"))


def hang(query):
    threading.Event().wait()


PAGES = {"/health": health, "/put": put, "/kept": kept, "/hang": hang}


def application(environ, start_response):
    text = PAGES[environ["PATH_INFO"]](environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
