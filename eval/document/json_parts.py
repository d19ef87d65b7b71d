"""Parts of a JSON document as frozen dataclasses: `read` makes them of what `json.loads` gives, `plain` goes back.

A field's name is its key and the order of fields is the order of keys, so that a document that is read and written
is the same text; `LEADING` puts a subclass's field before those of its base. A field whose default is None is left
out where it is None, unless the part's `leaves_out` says otherwise. A key that no field has is kept and written last:
a document of another version loses nothing. It is no validation library because order, absent keys and unknown keys
must come back as they were. Knows no document in particular.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TypeVar, Union

from prefilter.models.known_error import KnownError

_LEADING, _UNKNOWN = "leading", "unknown"
LEADING: Mapping[str, object] = {_LEADING: True}

Convert = Callable[[object, str], object]


class PartError(KnownError, ValueError):
    """A document lacks a key or holds another shape than it must; the message names the place, never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A JSON object with known keys; `unknown` are the others, as they were read."""

    unknown: Mapping[str, object] = field(default_factory=dict, repr=False)

    def leaves_out(self, name: str) -> bool:
        """Return True where a field whose default is None is not written."""
        return getattr(self, name) is None


P = TypeVar("P", bound=Part)


def read(kind: type[P], raw: object, *, at: str = "document") -> P:
    """Return the part that a JSON object describes; raises PartError, naming the place."""
    if not isinstance(raw, Mapping):
        raise PartError(f"{at}: not an object")
    values: dict[str, object] = {}
    for key in _keys(kind):
        if key.name in raw:
            values[key.name] = key.convert(raw[key.name], f"{at}.{key.name}")
        elif key.needed:
            raise PartError(f"{at}: has no {key.name}")
    unknown = {key: value for key, value in raw.items() if key not in values}
    return kind(**values, unknown=unknown)


def plain(part: Part) -> dict[str, object]:
    """Return the JSON object of a part."""
    written = [key.name for key in _keys(type(part)) if not key.spared or not part.leaves_out(key.name)]
    return {**{name: _plain(getattr(part, name)) for name in written}, **part.unknown}


def widened(kind: type[P], narrow: Part, **more: object) -> P:
    """Return a part of a subclass: the fields of `narrow`, an instance of its base, and `more`."""
    own = {f.name: getattr(narrow, f.name) for f in fields(narrow)}
    return kind(**own, **more)  # type: ignore[arg-type]


def stripped(part: P) -> P:
    """Return the part without its unknown keys, nor those of its parts."""
    own = {f.name: _stripped(getattr(part, f.name)) for f in fields(part) if f.name != _UNKNOWN}
    return type(part)(**own)  # type: ignore[arg-type]


def _stripped(value: object) -> object:
    if isinstance(value, Part):
        return stripped(value)
    if isinstance(value, Mapping):
        return {key: _stripped(own) for key, own in value.items()}
    return tuple(map(_stripped, value)) if isinstance(value, tuple) else value


def _plain(value: object) -> object:
    if isinstance(value, Part):
        return plain(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return value


@dataclass(frozen=True, slots=True)
class _Key:
    """A field as a key: how its value is read, whether it must be there, whether it may be left out."""

    name: str
    convert: Convert
    needed: bool
    spared: bool


_KEYS: dict[type[Part], tuple[_Key, ...]] = {}  # worked out once for each kind of part


def _keys(kind: type[Part]) -> tuple[_Key, ...]:
    if kind not in _KEYS:
        hints = typing.get_type_hints(kind)
        own = sorted((f for f in fields(kind) if f.name != _UNKNOWN), key=lambda f: _LEADING not in f.metadata)
        _KEYS[kind] = tuple(
            _Key(
                f.name,
                _converter(hints[f.name]),
                needed=f.default is MISSING and f.default_factory is MISSING,
                spared=f.default is None,
            )
            for f in own
        )
    return _KEYS[kind]


def _converter(hint: object) -> Convert:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(_converter(next(own for own in arguments if own is not types.NoneType)))
    if origin is tuple:
        last = arguments[-1]
        return _row(_converter(arguments[0])) if last is Ellipsis else _pair([_converter(own) for own in arguments])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _table(_converter(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, Part):
        return lambda value, at: read(hint, value, at=at)
    if hint is float:
        return _scalar(int, float)
    return _scalar(hint) if hint in (int, str, bool) and isinstance(hint, type) else lambda value, at: value


def _scalar(*kinds: type) -> Convert:
    def convert(value: object, at: str) -> object:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise PartError(f"{at}: of another type")
        return value

    return convert


def _optional(own: Convert) -> Convert:
    return lambda value, at: None if value is None else own(value, at)


def _table(own: Convert) -> Convert:
    def convert(value: object, at: str) -> object:
        if not isinstance(value, Mapping):
            raise PartError(f"{at}: not an object")
        return {key: own(one, f"{at}.{key}") for key, one in value.items()}

    return convert


def _row(own: Convert) -> Convert:
    def convert(value: object, at: str) -> object:
        if not isinstance(value, list | tuple):
            raise PartError(f"{at}: not a list")
        return tuple(own(one, f"{at}[{place}]") for place, one in enumerate(value))

    return convert


def _pair(own: list[Convert]) -> Convert:
    def convert(value: object, at: str) -> object:
        if not isinstance(value, list | tuple) or len(value) != len(own):
            raise PartError(f"{at}: not a list of {len(own)}")
        return tuple(one(cell, f"{at}[{place}]") for place, (one, cell) in enumerate(zip(own, value, strict=True)))

    return convert
