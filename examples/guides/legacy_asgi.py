from a2wsgi import WSGIMiddleware
from legacy import app as legacy

from middlewares import wrap

app = wrap(
    WSGIMiddleware(legacy, workers=20),
    request_id=True,
    timing=True,
    cors={
        "allow_origins": ["https://app.example"],
        "allow_methods": ["GET", "PUT"],
        "allow_headers": ["Content-Type"],
        "expose_headers": ["X-Request-ID"],
        "allow_credentials": True,
    },
    server_errors=True,
    compression=True,
)
