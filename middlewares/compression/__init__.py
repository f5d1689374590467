"""Request decoding: the application sees plain bodies, whatever content coding the client has chosen.

```python
from middlewares.compression import DecompressionMiddleware

app = DecompressionMiddleware(app, max_size=10_000_000)
```

```text
$ gzip -c order.json | curl -i --data-binary @- -H "Content-Encoding: gzip" http://127.0.0.1:8000/orders
```

What it does:

1. Bodies in gzip (also of several members), br and zstd (also of several frames) are decoded as they come. The
   application gets pieces of at most 256 KiB or so, each before more is asked of the client.
2. Content-Encoding, and what is true of the coded bytes alone (Content-Length, Content-Digest, Content-MD5, Digest,
   Repr-Digest), is hidden from the application: how long the body is, its end tells.
3. A coding that is not accepted, or several upon each other: 415, with an Accept-Encoding that lists what is. The
   application is not called.
4. A body that is damaged, ends too early, or has something behind its end, or a zstd window above 8 MB (RFC 9659): 400.
5. A body that decodes to more than `max_size` bytes: 413, as soon as that is known; the application never gets more.
6. For 4 and 5, the application's `receive` raises an exception which is caught again here. What a framework answers to
   it is not sent, unless its response had begun before: then that is cut off, and the server closes the connection
   (daphne leaves it open until the client goes).
7. Large pieces are decoded in threads, so that the event loop stays free.

Requests without Content-Encoding, or with `identity`, pass untouched, as do WebSockets. A GET, HEAD, DELETE or OPTIONS
request whose body is empty passes whatever its Content-Encoding names; an empty POST is not valid in any coding.

Caveats:

- The application may have worked on the first pieces of a body that turns out to be bad: as with every upload, what it
  does takes effect only when `more_body` is false.
- An application that needs Content-Length finds none, as with chunked uploads. Django's multipart parser takes such a
  body for empty, and so does Flask behind a2wsgi, unless it is told that the bridge ends the input:
  `lambda environ, start: flask_app({**environ, "wsgi.input_terminated": True}, start)`.
"""

from .decompression import DecompressionMiddleware

__all__ = ["DecompressionMiddleware"]
