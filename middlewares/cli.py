"""The command `middlewares`, as the script and `python -m middlewares` start it."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command with the arguments of this process.

    Raises:
        SystemExit: always: 0, 2 for a mistake in the arguments or the configuration, 1 for anything else.
    """
    if find_spec("click") is None:
        from ._cli.extra import NEEDED

        sys.exit(f"Error: click is not installed; {NEEDED}")
    from ._cli.command import command

    command(prog_name="middlewares")
