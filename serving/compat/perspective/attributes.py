"""The attributes of the Perspective API, and which heads of ours answer for each.

Seven names of the service that its clients know. A *trained* attribute is one head, calibrated where the head is;
a *derived* one is made from several, is calibrated to nothing, and says why it is what it is. Names that
Perspective knew and we have no labels for (its experimental and newspaper attributes) are unknown here, and asking
for one is refused: a number made up for a name would be believed. Pure: scores in, a score out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its score is that of the first head times the highest of the `strengthened_by`, if any."""

    name: str
    head: str
    reason: str
    strengthened_by: tuple[str, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether a head was trained for it; else its score is derived."""
        return not self.strengthened_by

    @property
    def heads(self) -> tuple[str, ...]:
        """Every head it needs."""
        return (self.head, *self.strengthened_by)

    def score(self, scores: Mapping[str, np.float32]) -> np.float32:
        """Return its score in [0, 1]; `scores` holds every head of `heads`."""
        score = np.float32(scores[self.head])
        if not self.strengthened_by:
            return score
        return score * np.float32(max(scores[head] for head in self.strengthened_by))


_ALL = (
    Attribute("TOXICITY", "toxicity", "the same question: rude or disrespectful, likely to make people leave"),
    # Measured for prefilter-en-2@2.1.0, average precision and area under the ROC curve, positive where the label is
    # at least 0.5, on the test rows of jigsaw_partial (20 of 507), test and validation of convabuse (38 of 1,061), and
    # 2,500 rows of rtp_perspective_quark_val (425 positive; Perspective's own scores, most of them seen in training):
    #   toxicity times highest of hate, threat, profanity  .55/.96  .31/.94  .76/.94   chosen
    #   least of toxicity and that highest                 .56/.96  .31/.94  .74/.93
    #   least of toxicity and highest of hate and threat   .20/.85  .47/.93  .39/.75
    #   toxicity alone                                     .53/.96  .23/.92  .76/.94
    # It was chosen on these rows, and so few positives leave wide intervals (.35 to .77 on the first, .23 to .47 on the
    # second).
    Attribute(
        "SEVERE_TOXICITY",
        "toxicity",
        "derived, no head of its own: toxicity times the highest of hate, threat and profanity; never above TOXICITY,"
        " and lower where toxic words attack nobody and swear little",
        strengthened_by=("hate", "threat", "profanity"),
    ),
    Attribute("IDENTITY_ATTACK", "hate", "the same question: hate for what somebody is; trained on its labels, too"),
    Attribute("INSULT", "insult", "the same question"),
    Attribute("PROFANITY", "profanity", "the same question"),
    Attribute("THREAT", "threat", "the same question: an intention to hurt somebody"),
    Attribute("SEXUALLY_EXPLICIT", "sexual", "near: our head asks for sexual content, explicit or not"),
)
ATTRIBUTES: dict[str, Attribute] = {attribute.name: attribute for attribute in _ALL}
"""By name, in the order in which they are listed to people."""


def offered(heads: Collection[str]) -> frozenset[str]:
    """Return the names of the attributes that a model with these heads can answer for."""
    return frozenset(name for name, attribute in ATTRIBUTES.items() if set(attribute.heads) <= set(heads))
