{#- Of the recipe `gunicorn`, too: there gunicorn loads the application itself, and is told where it is. Here `serve.py` does that. -#}
{%- set is_direct = preload is defined -%}
{%- set threads_each = threads if is_direct else workers_threads -%}
# gunicorn's settings are a Python file.
import importlib.util
import os

# Taken away from gunicorn: it is said by `first.py`. On a reload this file is read again by the same process.
os.environ["JOVE_NOTIFY_SOCKET"] = os.environ.pop("NOTIFY_SOCKET", None) or os.environ.get("JOVE_NOTIFY_SOCKET", "")
found = importlib.util.spec_from_file_location("first", {{ (object ~ "/first.py") | py }})
first = importlib.util.module_from_spec(found)
found.loader.exec_module(first)


def post_worker_init(worker):
    first.begin(worker, {{ url | py }}, {{ ((health if health is defined else none) or "") | py }})


{% if max_requests -%}
def pre_request(worker, req):
    first.follow(worker)


def child_exit(server, worker):
    first.followed(server)


{% endif -%}
# The socket is held by the supervisor, so that gunicorn can be replaced while it serves; this is where it is without one.
bind = {{ ("unix:" ~ run ~ "/gunicorn.sock") | py }}
umask = 0o077
workers = {{ workers }}
threads = {{ threads_each }}
worker_class = {{ ("gthread" if threads_each > 1 else "sync") | py }}
# A worker takes no more connections than it has threads for, and the next: another worker may be free, and little waits in one
# that ends.
worker_connections = threads + 1
timeout = {{ timeout | int }}
graceful_timeout = {{ graceful_timeout | int }}
max_requests = {{ max_requests }}
max_requests_jitter = {{ max_requests_jitter if max_requests else 0 }}
# Loaded once, before the workers: less memory, and an application that cannot be loaded never starts.
preload_app = {{ (preload if preload is defined else true) | py }}
{% if is_direct and not package -%}
chdir = {{ (source if editable else object ~ "/app") | py }}
{% endif -%}
# Heartbeats of workers are files; memory is where they do not wait for a disk.
worker_tmp_dir = {{ (data ~ "/tmp") | py }}
errorlog = "-"
accesslog = {{ "\"-\"" if access_log else "None" }}
loglevel = {{ ("debug" if debug else "info") | py }}
# The web server in front is the only one who can reach the socket, so what it says of the client is true.
forwarded_allow_ips = "*"
{% if is_direct and at | trim("/") -%}
raw_env = [{{ ("SCRIPT_NAME=/" ~ at | trim("/")) | py }}]
{% endif -%}
control_socket_disable = True
proc_name = {{ name | py }}
