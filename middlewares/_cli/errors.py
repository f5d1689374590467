"""Mistakes of the user: one line and an exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from .extra import NEEDED


class CommandError(click.ClickException):
    """The arguments or the configuration are wrong: ends the command with one line on standard error."""

    exit_code = 2


class FailureError(CommandError):
    """They may be right, and it still fails."""

    exit_code = 1


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the likely one, or nothing."""
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_of(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is none of a few: the likely one, or all."""
    names = list(known)
    return did_you_mean(name, names) or f"; there are {', '.join(names)}"


def required(name: str) -> Any:
    """A module of the extra `serve`.

    Raises:
        FailureError: It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name.partition(".")[0]:
            raise
        raise FailureError(f"{exc.name} is not installed; {NEEDED}") from None
