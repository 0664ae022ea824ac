"""A shop that counts its visits in every place that a stack has, and lets a task add for it."""

import os

import psycopg2
import redis
from celery import Celery
from flask import Flask
from pymemcache.client.base import Client

broker = os.environ.get("BROKER") or os.environ["CELERY_BROKER_URL"]
app = Flask(__name__)
celery = Celery("app", broker=broker, backend=broker)
celery.conf.beat_schedule = {"tick": {"task": "app.tick", "schedule": 1.0}}


def store():
    return redis.Redis.from_url(os.environ.get("REDIS_URL") or broker.replace("redis+socket", "unix"))


@celery.task
def add(one, other):
    return one + other


@celery.task
def tick():
    store().incr("ticks")


@app.get("/")
def index():
    with psycopg2.connect(os.environ["DATABASE_URL"]) as database, database.cursor() as cursor:
        cursor.execute("create table if not exists visits (n int)")
        cursor.execute("insert into visits values (1)")
        cursor.execute("select count(*), current_user, current_setting('is_superuser') from visits group by 2, 3")
        rows, user, superuser = cursor.fetchone()
    memory = Client(os.environ["MEMCACHED"])
    memory.set("word", "kept")
    return "db %s as %s superuser %s, redis %s, memcached %s, task %s" % (
        rows, user, superuser, store().incr("visits"), memory.get("word").decode(), add.delay(2, 3).get(timeout=30)
    )


@app.get("/well")
def well():
    return "well"


@app.get("/ticks")
def ticks():
    return "ticks %s" % (int(store().get("ticks") or 0) > 0)
