"""The loss: binary cross-entropy per head on texts, and per head and word piece where people marked the words.

Unknown labels have weight 0. On marked texts the target of a head's evidence is the marks where the text is known to be
harmful in that head, and nothing where it is known not to be; heads without a label learn nothing from the text. Knows
tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def text_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over texts of the weighted cross-entropy; all [rows, heads]."""
    losses = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (losses * weights).sum() / len(labels)


def mark_loss(evidence: Tensor, marks: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over the judged pieces of the weighted cross-entropy of evidence against marks.

    `evidence` [rows, pieces, heads]; `marks` [rows, pieces], negative where nobody judged; `labels`, `weights`
    [rows, heads]. 0 where no piece was judged.
    """
    seen = marks >= 0
    rows = seen.any(dim=1)
    if not bool(rows.any()):
        return evidence.new_zeros(())
    target = marks[rows].clamp(min=0).unsqueeze(-1).to(evidence.dtype) * (labels[rows] >= 0.5).unsqueeze(1)
    losses = binary_cross_entropy_with_logits(evidence[rows], target, reduction="none")
    weighted = losses * seen[rows].unsqueeze(-1) * weights[rows].unsqueeze(1)
    return weighted.sum() / seen[rows].sum()


def hide_pieces(ids: Tensor, hidden: int, share: float, *, keep_below: int) -> Tensor:
    """`ids` with a random `share` of the pieces (ids above `keep_below`) replaced by the piece `hidden`."""
    if share <= 0:
        return ids
    drawn = (torch.rand(ids.shape, device=ids.device) < share) & (ids > keep_below)
    return torch.where(drawn, torch.full_like(ids, hidden), ids)
