import os

from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from items.models import Item


def index(request):
    Item.objects.create(name="visit")
    page = "<html><body>first edition, %d items, %s, %s</body></html>"
    return HttpResponse(page % (Item.objects.count(), static("shop.css"), request.build_absolute_uri()))


def count(request):
    return HttpResponse("%d" % Item.objects.count(), content_type="text/plain")


@csrf_exempt
def upload(request):
    return HttpResponse(default_storage.url(default_storage.save(request.FILES["file"].name, request.FILES["file"])))


def peek(request):
    """Whether this application, if somebody took it over, could read secrets of others or write beside its data."""
    prefix = os.path.join(os.environ["JOVE_DATA"], os.pardir, os.pardir)
    seen = []
    for name, mode in (("state.toml", "r"), ("var/web/note", "w")):
        try:
            open(os.path.join(prefix, name), mode).close()
            seen.append(name)
        except PermissionError:
            pass
    return HttpResponse(" ".join(["reached:"] + seen))


def health(request):
    return HttpResponse("well")


urlpatterns = [path("", index), path("count", count), path("upload", upload), path("peek", peek), path("health", health)]
