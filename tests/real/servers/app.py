"""An office whose letters are in MariaDB, with a post box in RabbitMQ."""

import os
import ssl
import sys
from urllib.parse import parse_qs, unquote, urlsplit

import amqp
import pymysql
from flask import Flask

app = Flask(__name__)


def database(url):
    parts = urlsplit(url)
    place = {"host": parts.hostname, "port": parts.port or 0}
    if parts.query:
        place = {"unix_socket": parse_qs(parts.query)["unix_socket"][0]}
    user, password, name = map(unquote, (parts.username, parts.password, parts.path[1:]))
    # PyMySQL takes a text for Latin-1, the server for UTF-8.
    return pymysql.connect(user=user, password=password.encode(), database=name, autocommit=True, **place)


def broker(**instead):
    parts = urlsplit(os.environ["BROKER_URL"])
    user, password, virtual_host = map(unquote, (parts.username, parts.password, parts.path[1:]))
    said = {"userid": user, "password": password, "virtual_host": virtual_host, **instead}
    return amqp.Connection(host="%s:%s" % (parts.hostname, parts.port), **said)


@app.get("/")
def index():
    with database(os.environ["DATABASE_TCP"]) as one, one.cursor() as cursor:
        cursor.execute("create table if not exists letters (text varchar(200))")
    with database(os.environ["DATABASE_URL"]) as one, one.cursor() as cursor:
        cursor.execute("insert into letters values ('Grüße, 山')")
        cursor.execute("select count(*), max(text), current_user() from letters")
        letters = cursor.fetchone()
    python = "%s.%s" % sys.version_info[:2]
    return "%s %s as %s, python %s of %s, %s" % (*letters, python, sys.base_prefix, ssl.OPENSSL_VERSION.split()[0])


@app.get("/post")
def post():
    with broker() as one, one.channel() as channel:
        channel.queue_declare("box", durable=True, auto_delete=False)
        channel.basic_publish(amqp.Message("a letter", delivery_mode=2), routing_key="box")
    return "posted"


@app.get("/fetch")
def fetch():
    with broker() as one, one.channel() as channel:
        message = channel.basic_get("box", no_ack=True)
    return message.body if message else "nothing"


@app.get("/guest")
def guest():
    try:
        broker(userid="guest", password="guest", virtual_host="/").connect()
    except amqp.exceptions.AccessRefused:
        return "refused"
    return "let in"
