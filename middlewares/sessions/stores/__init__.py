"""What a store of sessions is: records of bytes under ids, each with a time to live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

Update: TypeAlias = Callable[[bytes], bytes | None]
"""The stored bytes -> the bytes to store in their place, or None to leave them as they are."""

WAIT_SECONDS = 3
"""How long a call of this package waits for its engine. The first call that fails ends the save that it is of."""


class SessionStore(Protocol):
    """Where records live. Every store of this package behaves as told here, and so must one of your own.

    Ids are hashes of what the client holds (64 hexadecimal digits), so that who reads the store cannot take over a
    session. Data is opaque: `SessionMiddleware` serialises it, and takes bytes that it cannot read for no session.
    Times to live are whole seconds, at least 1; from that age on a record is absent, whether or not it was removed.

    A call that cannot reach the store raises within 5 seconds, whatever exception tells best what happened; it never
    reports a record that it could not look for as absent. After that the store works again as soon as it can.
    A cancelled call takes effect wholly or not at all, now or later.
    """

    async def get(self, id: str) -> bytes | None:
        """The data of the record; None if there is none, or no longer. Changes nothing, also not its time to live."""
        ...

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        """Store a new record. The id is new and random; a record that is there all the same is replaced.

        It is stored for every other process and worker when the call returns.
        """
        ...

    async def update(self, id: str, fn: Update, ttl: int) -> bool:
        """Replace the data by `fn(data)` and begin the time to live anew, atomically: no other write comes in between.

        `fn` is plain and has no effects: the store may call it again when another write came first, and may call it in
        another thread. What it raises goes up, and the record is as it was.

        Returns:
            False if there is no record, or no longer: none is made then, and `fn` is not called. False, too, if `fn`
            returned None: record and time to live stay as they are. Else True.
        """
        ...

    async def delete(self, id: str) -> None:
        """Remove the record. That there is none is no error."""
        ...
