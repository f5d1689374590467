"""Records in Redis or Valkey, on a client of `redis.asyncio`, which is imported when a store is made with a URL."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast
from weakref import WeakKeyDictionary

from . import Update
from ._asyncio import Turns, rest, within_time

# A value is a random token of this many bytes, new with each write, and the data.
_TOKEN = 8

# Set the value, if it still begins with the token of the one that was read: 1. If not: the value that is there now, or
# 0 if there is none. A client may send a script once more when its connection broke before the answer came: then the
# token that is to be written is there already.
_SET_IF_UNCHANGED = f"""
local token = redis.call('GETRANGE', KEYS[1], 0, {_TOKEN - 1})
if token == '' then return 0 end
if token == string.sub(ARGV[2], 1, {_TOKEN}) then return 1 end
if token ~= ARGV[1] then return redis.call('GET', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class RedisStore:
    """Sessions in Redis or Valkey, shared by the workers of many machines. It runs on asyncio only.

    The server removes expired records itself. Each call raises after 3 seconds, whatever the timeouts of the client,
    and works again when the server does. Give the server `maxmemory-policy noeviction`, its default: when it is full,
    writes raise, while other policies drop sessions silently. What a server keeps when its machine fails is for its
    own configuration to say (`appendonly`, `appendfsync`, replication).

    Args:
        url_or_client: `redis://`, `rediss://` or `unix://` with all that `redis.asyncio.from_url` takes, such as
            `"redis://localhost:6379/0"`; or a ready client: `redis.asyncio.Redis` or `RedisCluster`, or one of another
            library with the same methods, such as `valkey.asyncio.Valkey`. With a URL, each event loop gets connections
            of its own, 50 at most (`?max_connections=`), and `aclose` closes those of the loop it runs on. A client
            stays yours to close.
        prefix: What the keys begin with; stores with different prefixes share a database. Default: `"session:"`.

    Raises:
        ImportError: With a URL: redis is missing; the extra `asgi-middlewares[redis]` brings it.
        TypeError: `url_or_client` is no str and no asynchronous client, or `prefix` is no str.
        ValueError: The URL is none that redis understands.
    """

    def __init__(self, url_or_client: Any, prefix: str = "session:") -> None:
        if not isinstance(prefix, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"prefix must be a str, such as 'session:' (got {prefix!r})")
        self._prefix = prefix
        self._turns = Turns()
        self._client: Any = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        if isinstance(url_or_client, str):
            self._url = url_or_client
            self._new_client()  # a URL that is wrong fails now
        elif hasattr(url_or_client, "execute_command") and hasattr(url_or_client, "aclose"):
            self._client = url_or_client
        else:  # a synchronous client has `close` alone
            raise TypeError(
                "url_or_client must be a URL, such as 'redis://localhost:6379/0', or an asynchronous client, such as "
                f"redis.asyncio.Redis() (got {url_or_client!r})"
            )

    async def get(self, id: str) -> bytes | None:
        """See `SessionStore.get`."""
        value = await within_time(self, self._execute, "GET", self._prefix + id)
        return None if value is None else value[_TOKEN:]

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        """See `SessionStore.create`."""
        await within_time(self, self._execute, "SET", self._prefix + id, os.urandom(_TOKEN) + data, "EX", ttl)

    async def update(self, id: str, fn: Update, ttl: int) -> bool:
        """See `SessionStore.update`. `fn` is called again when another process wrote in between."""
        return await within_time(self, self._update, self._prefix + id, fn, ttl)

    async def delete(self, id: str) -> None:
        """See `SessionStore.delete`."""
        await within_time(self, self._execute, "DEL", self._prefix + id)

    async def purge(self) -> int:
        """Nothing, and 0: the server removes expired records itself."""
        return 0

    async def aclose(self) -> None:
        """Close the connections of this event loop that the store made. Calls that come all the same open new ones.

        Call it as well before you close a client of your own: it waits until calls that were given up have ended.
        """
        await rest(self)
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await within_time(self, client.aclose)

    async def _update(self, key: str, fn: Update, ttl: int) -> bool:
        async with self._turns.of(key):
            value: object = await self._execute("GET", key)
            while isinstance(value, bytes):
                data = fn(value[_TOKEN:])
                if data is None:
                    return False
                value = await self._execute(
                    "EVAL", _SET_IF_UNCHANGED, 1, key, value[:_TOKEN], os.urandom(_TOKEN) + data, ttl
                )
            return value == 1

    async def _execute(self, *command: Any) -> Any:
        client = self._client or self._clients.get(asyncio.get_running_loop())
        if client is None:
            # A client holds its loop, so that this never goes by itself.
            for ref in self._clients.keyrefs():  # a list, whatever other threads do
                loop = ref()
                if loop is not None and loop.is_closed():
                    self._clients.pop(loop, None)
            client = self._clients[asyncio.get_running_loop()] = self._new_client()
        # Data is no text, also where the client makes text of answers (decode_responses=True).
        return await client.execute_command(*command, NEVER_DECODE=True)

    def _new_client(self) -> Any:
        try:
            import redis.asyncio
            import redis.asyncio.retry
            import redis.backoff
        except ImportError as error:
            raise ImportError("RedisStore needs `pip install 'asgi-middlewares[redis]'`") from error
        module = cast("Any", redis.asyncio)  # whose types are partly unknown
        try:
            pool = module.BlockingConnectionPool.from_url(
                self._url,
                # Connections break when the server is started anew: each call may open one.
                retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 1),
                retry_on_error=[redis.ConnectionError],  # redis 5 asks for both
                # `within_time` alone tells how long to wait, also for one of the connections.
                timeout=None,
                socket_timeout=None,
                socket_connect_timeout=None,
            )
        except ValueError as error:
            raise ValueError(f"url_or_client must be a URL that redis understands: {error}") from error
        return module.Redis.from_pool(pool)
