"""Several people at once who give a site numbers to keep, until a file is gone; each number that was answered with 200 is written
into a file, behind the moment of the answer. Prints those of them that the site has not kept.

    load.py CERTIFICATE URL ANSWERED FILE
"""

import http.client
import itertools
import os
import ssl
import sys
import threading
import time
import urllib.parse

certificate, url, answered, file = sys.argv[1:]
place = urllib.parse.urlsplit(url).netloc
context = ssl.create_default_context(cafile=certificate)
numbers, one_writes, given = itertools.count(1), threading.Lock(), set()


def ask(path):
    connection = http.client.HTTPSConnection(place, context=context, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def give(notes):
    while os.path.exists(file):
        number = next(numbers)
        if ask("/put?%d" % number) is not None:
            with one_writes:
                given.add(str(number))
                notes.write("%.3f %d\n" % (time.time(), number))
                notes.flush()


with open(answered, "w") as notes:
    people = [threading.Thread(target=give, args=(notes,)) for _ in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()
kept = ask("/kept")
print("of %d numbers these were lost: %s" % (len(given), " ".join(sorted(given - set((kept or "").split())))))
