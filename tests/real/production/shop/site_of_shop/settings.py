import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = os.environ.get("JOVE_DEBUG") == "true"
ALLOWED_HOSTS = [urlsplit(os.environ["JOVE_URL"]).hostname, "localhost"]
CSRF_TRUSTED_ORIGINS = [os.environ["JOVE_URL"].rstrip("/")]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
INSTALLED_APPS = ["django.contrib.staticfiles", "items"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
CSRF_COOKIE_SECURE = True
ROOT_URLCONF = "site_of_shop.urls"
TEMPLATES = []
WSGI_APPLICATION = "site_of_shop.wsgi.application"
STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("JOVE_STATIC")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
MEDIA_ROOT = os.environ.get("JOVE_FILES")
MEDIA_URL = "/media/"
FILE_UPLOAD_PERMISSIONS = 0o600
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

url = urlsplit(os.environ.get("DATABASE_URL", "sqlite:///"))
query = parse_qs(url.query)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql" if url.scheme == "postgresql" else "django.db.backends.sqlite3",
        "NAME": url.path[1:] or ":memory:",
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.get("host", [""])[0],
        "PORT": query.get("port", [""])[0],
    }
}
