"""The wheel carries the package under a second name, `asgi_middlewares`: many applications have a folder `middlewares`.

Imports inside the package are relative, so that each name has modules of its own, and none of them needs the other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# A module that puts the source's package in its own place, as if it had been found under this name.
PROXY = """\
import sys
from importlib.util import module_from_spec, spec_from_file_location

_spec = spec_from_file_location(__name__, {init!r}, submodule_search_locations=[{source!r}])
_module = sys.modules[__name__] = module_from_spec(_spec)
_spec.loader.exec_module(_module)
"""


class SecondName(BuildHookInterface[Any]):
    """Add `asgi_middlewares`: a copy in a standard wheel, a package that points at the source in an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds (`version` is "standard" or "editable")."""
        source = Path(self.root) / "middlewares"
        if version != "editable":
            build_data["force_include"][str(source)] = "asgi_middlewares"
            return
        # A copy would be stale after the first edit.
        self._folder = tempfile.TemporaryDirectory()
        proxy = Path(self._folder.name) / "__init__.py"
        proxy.write_text(PROXY.format(init=str(source / "__init__.py"), source=str(source)), encoding="utf-8")
        build_data["force_include_editable"][str(proxy)] = "asgi_middlewares/__init__.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Called by hatchling when the wheel is written."""
        if version == "editable":
            self._folder.cleanup()
