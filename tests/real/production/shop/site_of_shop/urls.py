import os

from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.templatetags.static import static
from django.utils.html import format_html
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from items.models import Item, Note
from items.tasks import count_words
from site_of_shop.edition import EDITION

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<link rel="stylesheet" href="{}"><body>{}</body></html>"""


def page(text, *values):
    return HttpResponse(format_html(PAGE, static("shop.css"), format_html(text, *values)))


def index(request):
    Item.objects.create(name="visit")
    said = "%s, %d items, %s, %s" % (EDITION, Item.objects.count(), static("shop.css"), request.build_absolute_uri())
    form = """<form method="post" action="notes" enctype="multipart/form-data">
<input type="hidden" name="csrfmiddlewaretoken" value="{}"><input type="file" name="file"><button>Send</button></form>"""
    return page("<p>{}</p>" + form, said, get_token(request))


def count(request):
    return HttpResponse("%d" % Item.objects.count(), content_type="text/plain")


def keep(file):
    with transaction.atomic():
        note = Note.objects.create(file=default_storage.save(file.name, file))
        transaction.on_commit(lambda: count_words.delay(note.pk))
    return note


@csrf_exempt
def upload(request):
    """For programs."""
    return HttpResponse(default_storage.url(keep(request.FILES["file"]).file))


def notes(request):
    """For people: where the form of the first page leads."""
    return redirect("note", keep(request.FILES["file"]).pk)


def note(request, key):
    """Asks again by itself until the worker is done."""
    note = get_object_or_404(Note, pk=key)
    if note.found:
        return page("<p id=\"found\">{}: {}</p>", note.file, note.found)
    return page("<meta http-equiv=\"refresh\" content=\"1\"><p>The words of {} are being counted.</p>", note.file)


def found(request):
    """What the worker said of the last note."""
    return HttpResponse(Note.objects.latest("pk").found, content_type="text/plain")


def peek(request):
    """Whether this application, if somebody took it over, could read what is of others or write beside its data."""
    prefix = os.path.join(os.environ["JOVE_DATA"], os.pardir, os.pardir)
    seen = []
    tried = (("state.toml", "r"), ("var/web/note", "w"), ("var/web/tls/certificate.pem", "r"), ("run/web/nginx.pid", "r"))
    for name, mode in tried:
        try:
            open(os.path.join(prefix, name), mode).close()
            seen.append(name)
        except PermissionError:
            pass
    return HttpResponse(" ".join(["reached:"] + seen))


def health(request):
    return HttpResponse("well")


urlpatterns = [
    path("", index),
    path("count", count),
    path("upload", upload),
    path("notes", notes),
    path("notes/<int:key>", note, name="note"),
    path("found", found),
    path("peek", peek),
    path("health", health),
]
