"""Column types that mean the same on SQLite and PostgreSQL, for any text JSON can carry.

PostgreSQL refuses NUL in TEXT and JSONB, both databases refuse lone surrogates, and their timestamp types
differ. So JSON is kept as ASCII text, strings escape the few characters a database cannot hold, item text is
bytes, and an instant is whole microseconds since 1970 UTC. These types know no table.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, String, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSAFE = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(u[0-9a-f]{4}|\\)")


def escape(text: str) -> str:
    """Return `text` without NUL and lone surrogates; text without those and backslashes stays."""
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda found: r"\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}", text)


def unescape(stored: str) -> str:
    """Undo `escape`."""
    if "\\" not in stored:
        return stored
    return _ESCAPED.sub(lambda found: "\\" if found[1] == "\\" else chr(int(found[1][1:], 16)), stored)


class AnyText(TypeDecorator[str]):
    """A string with any code points, NUL and lone surrogates included; equality works, ordering nearly."""

    impl: type[String] = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database cannot hold."""
        return None if value is None else escape(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Give back the string as it was."""
        return None if value is None else unescape(value)


class Word(AnyText):
    """A short string of our own making (an id, a status, a policy's name); whatever a caller asks for in its
    place is compared, and found nowhere, where PostgreSQL would refuse the question."""

    impl = String
    cache_ok = True


class Json(TypeDecorator[Any]):
    """JSON as ASCII text, keys sorted."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Write it; raises ValueError for NaN and infinities."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read it."""
        return None if value is None else json.loads(value)


class Instant(TypeDecorator[datetime]):
    """A timezone-aware instant, kept as microseconds since 1970 UTC: compares and sorts alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Convert; raises ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert back, in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class ItemText(TypeDecorator[str]):
    """Text of an item as UTF-8 bytes: the only column type that holds what people wrote."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encode."""
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Decode."""
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


def canonical(value: object) -> str:
    """Return the one ASCII JSON spelling of a value; raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
