"""Speaks to a running demo as a WPS client does: `python wps_client.py URL`, with the package `owslib`.

Prints one line for each thing that holds; ends with 1 at the first that does not.
"""

import json
import sys
import urllib.request

from owslib.wps import ComplexDataInput, WebProcessingService

SHAPE = '{"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [2, 1], [0, 4], [0, 0]]]}'


def holds(what, truth, seen=""):
    if not truth:
        sys.exit("FAILED: %s: %s" % (what, seen))
    print("ok: " + what)


def finished(execution):
    """Asks for the status until the job has ended; gives the percentages that were seen."""
    seen = [execution.percentCompleted]
    while not execution.isComplete():
        execution.checkStatus(sleepSecs=0.1)
        seen.append(execution.percentCompleted)
    return seen


def values(execution):
    return {output.identifier: output.data[0] if output.data else output.reference for output in execution.processOutputs}


def errors(execution):
    return " ".join(error.text for error in execution.errors)


def main(url):
    service = WebProcessingService(url)
    names = [process.identifier for process in service.processes]
    holds("capabilities name five processes", names == ["greet", "hull", "wait", "chart", "divide"], names)
    for name in names:
        described = service.describeprocess(name)
        holds("%s is described" % name, described.identifier == name and described.dataInputs and described.statusSupported)

    done = service.execute("greet", [("name", "Ada <&>"), ("language", "french"), ("times", "2")])
    holds("literal values", values(done) == {"greeting": "Bonjour, Ada <&>! Bonjour, Ada <&>!", "letters": "20"}, values(done))
    done = service.execute("hull", [("shape", ComplexDataInput(SHAPE, mimeType="application/geo+json"))])
    holds("GeoJSON", json.loads(values(done)["hull"])["properties"]["area"] == 16, values(done))
    done = service.execute("hull", [])
    holds("a default of complex data", done.isSucceded(), errors(done))

    done = service.execute("chart", [("values", "1,2,-3"), ("title", "a & b")])
    for name, start in [("chart", b"<svg"), ("table", b"number,value\n1,1\n")]:
        with urllib.request.urlopen(values(done)[name]) as answer:
            holds("the output %s is served" % name, answer.read().startswith(start))

    job = service.execute("wait", [("seconds", "2"), ("steps", "5")], mode="async", output=[("waited", False)])
    holds("a job is accepted and has an address", bool(job.statusLocation) and not job.isComplete(), job.status)
    seen = finished(job)
    holds("its progress is seen", job.isSucceded() and any(0 < percent < 100 for percent in seen), seen)
    jobs = [
        service.execute("wait", [("seconds", "1"), ("steps", "2")], mode="async", output=[("waited", False)]) for _ in range(5)
    ]
    for job in jobs:
        finished(job)
    holds("more jobs than run at once", all(job.isSucceded() for job in jobs), [job.status for job in jobs])

    for mode in ("sync", "async"):
        job = service.execute("divide", [("dividend", "3"), ("divisor", "0")], mode=mode, output=[("quotient", False)])
        finished(job)
        holds("a failure says why (%s)" % mode, "Cannot divide 3 by zero" in errors(job), errors(job))


if __name__ == "__main__":
    main(sys.argv[1])
