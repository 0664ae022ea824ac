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


def health(request):
    return HttpResponse("well")


urlpatterns = [path("", index), path("count", count), path("upload", upload), path("health", health)]
