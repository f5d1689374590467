"""One small application in each framework, the same to a client, as its users write it; each module has `application`.

`GET /id` tells the request id as the application sees it, `/large` 20 kB of text, `/stream` the same in pieces,
`/cookies` two cookies, `/count` how often this visitor was here (from the session), `/boom` raises; `POST /upload` tells
the digest of the body; the WebSocket `/ws` echoes.
"""

from __future__ import annotations

import hashlib
from typing import Any

SECRET = "what only the log may tell"
PIECES = [f"piece {number}: {'tea ' * 500}\n" for number in range(10)]
LARGE = "".join(PIECES)


def digest(body: bytes) -> str:
    """What `/upload` tells."""
    return hashlib.sha256(body).hexdigest()


def counted(session: Any) -> str:
    """What `/count` tells."""
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


def terminated(app: Any) -> Any:
    """A WSGI application that is told that its input ends by itself: the bridges see to that.

    A decoded body has no Content-Length, and PEP 3333 lets an application read no further than that says. Werkzeug and
    WebOb read to the end where the environment has this key.
    """

    def told(environ, start_response):
        return app({**environ, "wsgi.input_terminated": True}, start_response)

    return told
