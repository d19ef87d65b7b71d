"""The loss: unknown labels and unmarked words teach nothing, marks teach the heads that the text is harmful in."""

from __future__ import annotations

import torch

from prefilter.classifier.training.loss import hide_pieces, mark_loss, text_loss

LABELS = torch.tensor([[1.0, 0.0]])
KNOWN = torch.ones(1, 2)


def gradient(marks, labels=LABELS, weights=KNOWN):
    evidence = torch.zeros(1, 3, 2, requires_grad=True)
    loss = mark_loss(evidence, torch.tensor([marks]), labels, weights)
    if loss.requires_grad:
        loss.backward()
    return None if evidence.grad is None else evidence.grad[0]


def test_an_unknown_label_teaches_nothing():
    logits = torch.zeros(1, 2, requires_grad=True)
    text_loss(logits, LABELS, torch.tensor([[1.0, 0.0]])).backward()
    assert logits.grad[0, 0] < 0
    assert logits.grad[0, 1] == 0


def test_a_marked_word_raises_the_evidence_of_the_heads_it_is_harmful_in():
    slope = gradient([-1, 1, 0])
    assert slope[1, 0] < 0 < slope[2, 0]
    assert (slope[1:, 1] > 0).all()


def test_marks_and_context_that_nobody_looked_at_teach_nothing():
    assert not gradient([-1, 1, -1])[[0, 2]].any()
    assert gradient([-1, -1, -1]) is None


def test_a_head_of_which_the_source_says_nothing_learns_nothing_from_its_marks():
    assert not gradient([0, 1, 0], weights=torch.tensor([[1.0, 0.0]]))[:, 1].any()


def test_hidden_pieces_are_replaced_and_marks_never():
    torch.manual_seed(1)
    ids = torch.tensor([[101, *range(200, 300), 102, 0]])
    hidden = hide_pieces(ids, 103, 0.5, keep_below=103)
    assert 20 < int((hidden == 103).sum()) < 80
    assert hidden[0, [0, 101, 102]].tolist() == [101, 102, 0]
    assert torch.equal(hide_pieces(ids, 103, 0.0, keep_below=103), ids)
