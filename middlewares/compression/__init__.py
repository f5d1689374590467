"""Compression: responses in zstd, brotli or gzip as clients prefer, and plain request bodies for the application.

Responses:

```python
from middlewares.compression import CompressionMiddleware

app = CompressionMiddleware(app)
```

```text
$ curl -i --compressed http://127.0.0.1:8000/orders
HTTP/1.1 200 OK
content-type: application/json
etag: "v1-zstd"
vary: Accept-Encoding
content-encoding: zstd
content-length: 12214
```

What it does:

1. Accept-Encoding is read as RFC 9110 12.5.3 says: the highest weight wins, `q=0` refuses, `*` stands for what is not
   named. Among equals it is zstd, then br, then gzip. Without the field (or with more than 4 KB of it, which are not
   read), or where it likes plain content best, and where nothing is acceptable at all, the content is plain.
2. Coded are text, JSON, JavaScript, XML, SVG, wasm and whatever else is not known to be compressed already. Left
   alone are a body below 500 bytes, one that would not shrink, ranges, what is coded already (`Content-Encoding:
   identity` opts out), and what forbids it (`Cache-Control: no-transform`).
3. `Vary: Accept-Encoding` is on every answer that another client could get coded: on plain ones, 206 and 304, too.
4. A coded body has a tag of its own, `"v1-gzip"` for `"v1"`, and the application never sees it: If-None-Match, If-Match
   and WebDAV's If come to it in its own tags, and its 304 goes out with the one that the client holds. If-Match works
   after a coded GET.
5. Accept-Ranges and the digests of the plain body are removed from coded responses, and from their trailers,
   as an ETag there is. HEAD has the headers of GET.
6. Streams: what was sent can be decoded at most 25 ms later, and a stream of many small pieces still shrinks. The start
   of an event stream goes out at once, and each event can be decoded when it comes. A stream that breaks off ends
   without its end.
7. From 64 KiB on, bodies are coded in threads, one for each core at most, so that the event loop stays free.

For large answers, with fewer bytes for more time, and without coding downloads:

```python
import re

app = CompressionMiddleware(
    app,
    encodings=["zstd", "br"],
    zstd_level=6,
    brotli_quality=5,
    exclude_paths=["/downloads", re.compile("[.](jpg|mp4)$")],
    predicate=lambda scope, start: scope["method"] != "POST",
)
```

Deltas between versions of a file (RFC 9842, in Chromium): a client that got one version tells its hash when it asks for
the next, and gets what has changed. A JSON of 280 KB shrinks to 200 bytes, and all that it takes is to say which
responses are dictionaries for which URLs. They must be fresh to be used, so they need a Cache-Control:

```python
app = CompressionMiddleware(app, use_as_dictionary={"/static/app": "/static/app*.js", "/data": "/data/*"})
```

With `dictionaries=["previous/app.js"]`, versions of before the last start are known, too. A client gets `dcz` only
where the page that asked may read the answer: of the same origin, or by an Access-Control-Allow-Origin that stands
inside of this layer.

Caveats:

- BREACH: where a secret (a CSRF token) and what the client has sent (a search word) stand in one body, its coded size
  tells about the secret. Leave such pages out, or blur their size with `random_padding=64`. Dictionaries need the same
  care, and must hold nothing that attackers may write.
- The coded size of a stream is not known, and a declared Content-Length is dropped. Where a whole body comes as the
  first piece of a stream, as from most bridges to WSGI, its Content-Length says so, and it keeps one.
- A file that the server would send by itself (`http.response.pathsend`) goes past every layer, so that the extension is
  hidden from applications where the client takes a coding.

Where it stands: inside of layers that add headers, outside of caches and of layers that make ETags; once in a stack.

Requests:

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
request whose body is empty passes, too, if its Content-Encoding is accepted (else it is 415, like every request); an
empty POST is not valid in any coding.

Caveats:

- The application may have worked on the first pieces of a body that turns out to be bad: as with every upload, what it
  does takes effect only when `more_body` is false.
- An application that needs Content-Length finds none, as with chunked uploads. Django's multipart parser takes such a
  body for empty, and so does Flask behind a2wsgi, unless it is told that the bridge ends the input:
  `lambda environ, start: flask_app({**environ, "wsgi.input_terminated": True}, start)`.
"""

from .decompression import DecompressionMiddleware
from .middleware import CompressionMiddleware

__all__ = ["CompressionMiddleware", "DecompressionMiddleware"]
