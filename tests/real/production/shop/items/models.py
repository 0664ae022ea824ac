from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)


class Note(models.Model):
    """A file that somebody gave us, and what the worker found in it."""

    file = models.CharField(max_length=100)
    found = models.CharField(max_length=100, blank=True)
