# gunicorn's settings are a Python file.
bind = {{ ("unix:" ~ run ~ "/gunicorn.sock") | py }}
umask = 0o077
workers = {{ workers }}
threads = {{ threads }}
worker_class = {{ ("gthread" if threads > 1 else "sync") | py }}
timeout = {{ timeout | int }}
graceful_timeout = {{ graceful_timeout | int }}
max_requests = {{ max_requests }}
max_requests_jitter = {{ max_requests_jitter }}
preload_app = {{ preload | py }}
{% if not package -%}
chdir = {{ (source if editable else object ~ "/app") | py }}
{% endif -%}
# Heartbeats of workers are files; memory is where they do not wait for a disk.
worker_tmp_dir = {{ (data ~ "/tmp") | py }}
errorlog = "-"
accesslog = {{ "\"-\"" if access_log else "None" }}
loglevel = {{ ("debug" if debug else "info") | py }}
# The web server in front is the only one who can reach the socket, so what it says of the client is true.
forwarded_allow_ips = "*"
control_socket_disable = True
proc_name = {{ name | py }}
