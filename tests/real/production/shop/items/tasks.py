from celery import shared_task
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from items.models import Note
from site_of_shop.edition import EDITION


@shared_task
def count_words(key):
    note = Note.objects.get(pk=key)
    with default_storage.open(note.file) as file:
        words = len(file.read().split())
    note.found = "%d words, says the %s" % (words, EDITION)
    default_storage.save(note.file + ".found", ContentFile(note.found.encode()))
    note.save()
