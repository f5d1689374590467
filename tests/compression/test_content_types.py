"""Which content types are coded."""

from __future__ import annotations

import pytest

from middlewares.compression.content_types import ALONE, CODED, EVENTS, EXCLUDED_CONTENT_TYPES, checked_types, kind_of

DEFAULT = checked_types(EXCLUDED_CONTENT_TYPES)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/html; charset=utf-8", "text/css", "text/csv", "TEXT/PLAIN", " text/plain", "application/json"),
        *("application/problem+json", "application/ld+json", "application/atom+xml", "application/xml"),
        *("text/javascript", "application/javascript", "application/wasm", "application/x-ndjson", "image/svg+xml"),
        *("font/ttf", "font/otf", "image/bmp", "image/x-icon", "application/manifest+json", "application/x-tar"),
        *("application/vnd.example+text", "application/graphql-response+json", "", "nonsense"),
    ],
)
def test_coded(content_type):
    """Text, data, plain pixels, and whatever is not known to be compressed."""
    assert kind_of(content_type.encode(), DEFAULT) is CODED


@pytest.mark.parametrize(
    "content_type",
    [
        *("image/png", "image/jpeg", "image/avif", "image/webp", "IMAGE/PNG", "audio/mpeg", "video/mp4", "font/woff2"),
        *("application/zip", "application/gzip", "application/pdf", "application/octet-stream", "application/grpc"),
        *(
            "application/grpc+proto",
            "application/grpc-web+proto",
            "application/vnd.example+zip",
            "application/epub+zip",
        ),
        *("multipart/x-mixed-replace; boundary=frame", "application/zstd", "application/x-7z-compressed"),
    ],
)
def test_left_alone(content_type):
    """Images, audio, video, archives, fonts of the web, gRPC, unknown bytes (starlette #1660)."""
    assert kind_of(content_type.encode(), DEFAULT) is ALONE


def test_events():
    """An event stream is told apart (starlette #3040)."""
    assert kind_of(b"text/event-stream; charset=utf-8", DEFAULT) is EVENTS


def test_own_exclusions():
    """Given, types stand in place of the default ones, exact or by `type/*` (Starlette)."""
    excluded = checked_types(["application/json", "Image/*", "text/event-stream; charset=utf-8", "application/grpc"])
    kinds = {
        "application/json; charset=utf-8": ALONE,
        "application/problem+json": CODED,
        "image/svg+xml": ALONE,
        "text/event-stream": ALONE,
        "application/grpc+proto": ALONE,
        "application/zip": CODED,
        "video/mp4": CODED,
    }
    assert kinds == {name: kind_of(name.encode(), excluded) for name in kinds}
    assert kind_of(b"application/vnd.x+zip", checked_types([])) is CODED


@pytest.mark.parametrize("types", ["image/*", b"image/*", 5, [b"image/*"], [None]])
def test_no_list_of_types(types):
    """What is no list of str is refused by name."""
    with pytest.raises(TypeError, match="exclude_content_types must"):
        checked_types(types)


@pytest.mark.parametrize("name", ["image", "image/", "/png", "*/*", "*", "", "a b/c", "image/ü"])
def test_no_type(name):
    """What is no content type is refused by name."""
    with pytest.raises(ValueError, match="exclude_content_types must hold types such as"):
        checked_types([name])
