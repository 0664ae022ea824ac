"""Visits a site again and again until a file is gone, and prints what came instead of an answer of 200: nothing, then.

    visit.py CERTIFICATE HOST PORT PATH FILE
"""

import collections
import http.client
import os
import ssl
import sys

certificate, host, port, path, file = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate)
context.check_hostname = False
seen = collections.Counter()
while os.path.exists(file):
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        seen[str(answer.status)] += 1
    except OSError as error:
        seen[repr(error)] += 1
    connection.close()
visits = seen.pop("200", 0)
print("%d visits, but: %s" % (visits, dict(seen)) if seen or visits < 20 else "all were answered")
