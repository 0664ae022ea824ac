"""Three sites: each says who it is, how it was reached, and who the web server takes the client for."""


def house(name):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        reached = "%s://%s%s %s" % tuple(environ[key] for key in ("wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME", "PATH_INFO"))
        client = [environ.get("HTTP_X_CLIENT_VERIFY", "-"), environ.get("HTTP_X_CLIENT_SUBJECT", "-")]
        return [("%s at %s for %s" % (name, reached, " ".join(client))).encode()]

    return application


shop, wiki, office = house("first shop"), house("wiki"), house("office")
