# What mod_wsgi loads: the application, as `serve.py` makes it.
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, {{ object | py }})
import serve

options = serve.parse([{{ ("@" ~ object ~ "/etc/serve.args") | py }}, {{ (app if app is defined else object ~ "/service.wsgi") | py }}])
serve.prepare_path(options.source)
application = serve.build(options)
