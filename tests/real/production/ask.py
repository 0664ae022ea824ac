"""Asks addresses, each as a browser that trusts the site's own certificate, and prints what came as JSON lines.

    ask.py CERTIFICATE URL [FILE] …    a FILE is posted as a form's `file`

The variable ASK_AS names a file with a certificate and key of the client's own.
"""

import http.client
import json
import os
import ssl
import sys
import urllib.parse
import uuid

certificate, asked = sys.argv[1], sys.argv[2:]
for one in asked:
    url, _, file = one.partition(" ")
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc
    if "@" in host:
        # `name@127.0.0.1:8443`: this server, asked for by that name.
        host, _, target = host.partition("@")
        parts = parts._replace(netloc=target)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=certificate)
        if os.environ.get("ASK_AS"):
            context.load_cert_chain(os.environ["ASK_AS"])
        context.check_hostname = host == parts.netloc
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=60)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    headers, body, method = {"Host": host, "Accept-Encoding": "gzip"}, None, "GET"
    if file:
        mark, method = uuid.uuid4().hex, "POST"
        with open(file, "rb") as opened:
            content = opened.read()
        head = '--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/plain\r\n\r\n'
        body = (head % (mark, file.rsplit("/", 1)[-1])).encode() + content + ("\r\n--%s--\r\n" % mark).encode()
        headers["Content-Type"] = "multipart/form-data; boundary=" + mark
    path = parts.path + ("?" + parts.query if parts.query else "")
    try:
        connection.request(method, path or "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            import gzip
            text = gzip.decompress(text)
        said = {"status": answer.status, "headers": {k.lower(): v for k, v in answer.headers.items()}, "text": text.decode("utf-8", "replace")}
    except OSError as error:
        said = {"status": 0, "headers": {}, "text": str(error)}
    print(json.dumps(said))
