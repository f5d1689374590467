"""Tokens and comma-separated lists (RFC 9110 5.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

is_token = _TOKEN.fullmatch
"""Truthy if the bytes are a token: a method, a field name, a coding (RFC 9110 5.6.2)."""


def members(values: Iterable[bytes]) -> list[bytes]:
    """The members of a list field that has no quoted strings, over all its lines, without space and empty members.

    RFC 9110 5.3: several lines are one list; 5.6.1.2: a recipient ignores empty members.
    """
    return [member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))]
