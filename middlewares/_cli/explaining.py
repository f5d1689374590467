"""`middlewares explain`: the stack as a tree, and what is wrong with its order."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from .config import Given, Source, layers, package_of_the_process
from .loading import Loaded


def explain(source: Source | None, given: Given, loaded: Loaded | None) -> tuple[list[str], list[str]]:
    """The lines of the tree, and the problems, each in a sentence.

    Args:
        source: What the file says; None: the layers of the application's own code alone.
        given: What the command line says of the layers.
        loaded: The application; None: the layers alone.

    Raises:
        CommandError: A layer cannot be built.
    """
    package = package_of_the_process()
    stack: Any = import_module(f"{package}.stack")
    app: Any = application if loaded is None else loaded.app
    if source is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are told below
            app = stack.Stack(*layers(source, given, package))(app)
    return stack.outline(app), [str(problem) for problem in stack.check(app)]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Never called: what the tree shows where no application is named."""
