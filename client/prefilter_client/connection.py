"""The connection's settings: an address, a key, and the headers and URLs made of them.

Both are checked when the client is made, because a missing key would otherwise show only at the first call. The
key is never part of a repr or of an error.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from prefilter_client.errors import SettingsError
from prefilter_client.version import USER_AGENT

_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?", re.IGNORECASE)
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Connection:
    """The address without a slash at its end, and the key."""

    base_url: str
    api_key: str = field(repr=False)

    @classmethod
    def of(cls, base_url: str | None, api_key: str | None) -> Connection:
        """Return the connection that was asked for, else that of PREFILTER_URL and PREFILTER_API_KEY.

        Raises SettingsError where one is missing or cannot be used.
        """
        address = (base_url if base_url is not None else os.environ.get("PREFILTER_URL", "")).strip()
        key = (api_key if api_key is not None else os.environ.get("PREFILTER_API_KEY", "")).strip()
        if not address:
            raise SettingsError("no address: give base_url or set PREFILTER_URL")
        if not _ADDRESS.fullmatch(address):
            raise SettingsError("the address must be http://HOST:PORT or https://HOST, without user and query")
        if not key:
            raise SettingsError("no key: give api_key or set PREFILTER_API_KEY")
        if not _KEY.fullmatch(key):
            raise SettingsError("the key holds a character that no key has")
        return cls(address.rstrip("/"), key)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.api_key}", "User-Agent": USER_AGENT}

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return self.base_url + path

    def websocket_url(self, path: str) -> str:
        """Return the WebSocket address of a path."""
        return "ws" + self.url(path)[4:]
