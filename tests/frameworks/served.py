"""One application of the matrix behind the whole stack, for a server: the environment names its row."""

from __future__ import annotations

import os

from .matrix import ROWS

app = ROWS[os.environ["FRAMEWORKS_ROW"]].wrapped()
