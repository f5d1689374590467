import os

from a2wsgi import WSGIMiddleware

from middlewares import wrap


def hello_world(environ, start_response):
    session = environ["asgi.scope"]["session"]
    if environ["PATH_INFO"] == "/boom":
        raise RuntimeError("for the log alone")
    if environ["PATH_INFO"] == "/visits":
        session["visits"] = session.get("visits", 0) + 1
        text = str(session["visits"])
    else:
        text = f"Request {environ['HTTP_X_REQUEST_ID']}\n" + "A cup of tea\n" * 100
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


app = wrap(
    WSGIMiddleware(hello_world),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
