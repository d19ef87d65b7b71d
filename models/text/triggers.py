"""Triggers: which steps of normalisation a plain ASCII text can need at all, decided from its bytes.

Looking for a disguise with a regular expression costs more than everything else the fast stage does; a few array
comparisons over the bytes show that most texts hold none. A trigger may fire without need but never fails to fire
(tested against the long way).
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLANKS = dict.fromkeys(map(ord, "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f"), " ")
"""Control characters that become a blank, one for one."""
SPACE = 0x20

Mask = NDArray[np.bool_]


def _mask(characters: str) -> Mask:
    mask = np.zeros(128, dtype=np.bool_)
    mask[[ord(c) for c in characters]] = True
    return mask


_LETTER = _mask(string.ascii_letters)
_BETWEEN = _mask(" .-_*")
_DIGIT_OR_SIGN = _mask("013457@$!")
_BLANK = _mask("".join(map(chr, BLANKS)))
_DROPPED = _mask("".join(chr(c) for c in (*range(0x20), 0x7F) if c not in BLANKS))


@dataclass(frozen=True, slots=True)
class Triggers:
    """What of an ASCII text may need a closer look. `dropped`: it holds controls that normalising drops."""

    dropped: bool
    blanks: bool
    spelled: bool
    leet: bool
    stretched: bool
    spaces: bool


def triggers(text: str) -> Triggers:
    """The triggers of an ASCII text; raises UnicodeEncodeError for any other."""
    data = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    blanks = bool(_BLANK[data].any())
    if blanks:
        data = np.where(_BLANK[data], np.uint8(SPACE), data)
    letter, between, sign = _LETTER[data], _BETWEEN[data], _DIGIT_OR_SIGN[data]
    same = data[1:] == data[:-1]
    alone = letter[1:-1] & between[:-2] & between[2:]
    return Triggers(
        dropped=bool(_DROPPED[data].any()),
        blanks=blanks,
        spelled=bool((alone[:-2] & alone[2:]).any()),
        leet=bool((sign[1:-1] & letter[:-2] & (letter[2:] | sign[2:])).any()),
        stretched=bool((same[2:] & same[1:-1] & same[:-2]).any()),
        spaces=bool(data.size) and bool((same & (data[1:] == SPACE)).any() or SPACE in (data[0], data[-1])),
    )
