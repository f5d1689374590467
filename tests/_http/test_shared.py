"""What both names of the package have in common."""

from __future__ import annotations

import importlib
import sys
from contextvars import ContextVar

from middlewares._http.shared import shared
from middlewares.request_id import context


def test_one_for_each_name(monkeypatch):
    """The first variable of a name is everyone's, whatever its type or the module that asks for it."""
    monkeypatch.delitem(sys.modules, "_asgi_middlewares")
    first = ContextVar("first")
    assert shared(first) is first
    assert shared(ContextVar("first")) is first
    other = ContextVar("other")
    assert shared(other) is other


def test_reload():
    """A module that is loaded anew, as notebooks do, has the variables that layers built before it set."""
    before = context.request_id_var, context.outbound_var
    importlib.reload(context)
    assert before == (context.request_id_var, context.outbound_var)
