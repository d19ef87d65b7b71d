"""Training: heads first on the frozen encoder, then gently the upper layers, with an average of the weights kept.

Writes into `runs/NAME/`: `examples.json` (what was trained on), `checkpoint-STEP.safetensors` with `checkpoint.json`
(resume continues there), `weights.safetensors` (the averaged weights, joined with the wide part) and `training.json`
(the training record). The encoder runs without dropout: on a CPU its random numbers cost a third of the time.
"""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from prefilter.classifier.corpus.augmentation import augment, join_examples
from prefilter.classifier.corpus.batches import (
    Batch,
    Tokenised,
    collate,
    of_examples,
    ordered_batches,
    training_batches,
)
from prefilter.classifier.corpus.examples import Examples, build_examples
from prefilter.classifier.corpus.sources import Source, held_out_texts, training_sources
from prefilter.classifier.recipe import Recipe, RecipeError, SourceRule
from prefilter.classifier.training.harm_network import EncoderError, HarmNetwork, encoder_dir
from prefilter.classifier.training.joining import join
from prefilter.classifier.training.loss import hide_pieces, mark_loss, text_loss
from prefilter.classifier.training.training_record import say, training_summary, write_json
from prefilter.models.labels import HEADS
from prefilter.models.text.windows import load_tokenizer

MOST_WINDOWS = 4
"""Windows of one text that training uses; scoring uses all."""


@dataclass(slots=True)
class Progress:
    """Where a run stands; what a checkpoint keeps beside the tensors."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0


def data_dir_from_env() -> Path | None:
    """The folder of labelled data, from PREFILTER_DATA_DIR, or None."""
    value = os.environ.get("PREFILTER_DATA_DIR")
    return Path(value) if value else None


def load_examples(recipe: Recipe, data_dir: Path | None) -> tuple[Examples, list[Source]]:
    """The recipe's sources as examples, without any text of the test suites."""
    sources = training_sources(recipe, data_dir)
    held_out = held_out_texts(data_dir, recipe.languages) if data_dir is not None else []
    held_out += [t for s in sources for t, out in zip(s.texts, s.held_out, strict=True) if out]
    return build_examples(sources, recipe, held_out=held_out), sources


def encoder_tokenizer(recipe: Recipe) -> Tokenizer:
    """The encoder's tokenizer, set up as the scorer sets it up."""
    return load_tokenizer(encoder_dir(recipe.encoder) / "tokenizer.json")


def encoder_marks(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of the marks before and behind a text; raises `EncoderError` where the tokenizer has none."""
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if first is None or last is None:
        raise EncoderError("the encoder's tokenizer has no [CLS] and [SEP]: one of the WordPiece kind is needed")
    return first, last


def head_factors(examples: Examples) -> NDArray[np.float32]:
    """A loss factor per head, so that a head with few labels is not drowned: total weight ** -1/2, mean 1.

    A head without any label has factor 0.
    """
    total = (examples.weights * examples.share[:, None]).sum(axis=0)
    factors = np.where(total > 0, np.maximum(total, 1.0) ** -0.5, 0.0)
    balanced: NDArray[np.float32] = (factors / factors[total > 0].mean()).astype(np.float32)
    return balanced


def rate_factor(tokens: int, recipe: Recipe, *, part: str) -> float:
    """Linear warm-up, cosine decay; the encoder stays still until the heads have seen `warmup_tokens`."""
    if part == "encoder":
        if tokens < recipe.warmup_tokens:
            return 0.0
        rise = 0.5 * recipe.warmup_tokens
        tokens_in, span = tokens - recipe.warmup_tokens, recipe.total_tokens - recipe.warmup_tokens
    else:
        rise, tokens_in, span = 0.1 * recipe.warmup_tokens, tokens, recipe.total_tokens
    return min(1.0, tokens_in / max(rise, 1.0)) * 0.5 * (1 + math.cos(math.pi * min(1.0, tokens_in / max(span, 1))))


class Trainer:
    """One training run of one recipe in one folder; `run()` starts or resumes it."""

    def __init__(self, recipe: Recipe, examples: Examples, run_dir: Path) -> None:
        self.recipe, self.run_dir = recipe, run_dir
        self.given, self.development = examples.of("train"), examples.of("development")
        self.train = join_examples([self.given, augment(self.given, recipe)])
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.seed)
        self.tokenizer = encoder_tokenizer(recipe)
        self.marks = encoder_marks(self.tokenizer)
        self.hidden = int(self.tokenizer.token_to_id("[MASK]") or 0)
        self.network = HarmNetwork.from_encoder(
            encoder_dir(recipe.encoder), marks=self.marks, dropout=recipe.dropout
        )
        self.base = {k: v.clone() for k, v in self.network.encoder.state_dict().items()}
        self.groups = self.network.parameter_groups(
            encoder_rate=recipe.encoder_rate,
            head_rate=recipe.head_rate,
            layer_decay=recipe.layer_decay,
            frozen_layers=recipe.frozen_layers,
            weight_decay=recipe.weight_decay,
        )
        self.network.to(self.device)
        self.optimiser = torch.optim.AdamW(self.groups, betas=(0.9, 0.98), fused=True)
        self.average = {k: v.detach().clone() for k, v in self._trained()}
        self.factors = torch.tensor(head_factors(self.train), device=self.device)
        self.mark_weights = _mark_weights(self.train, recipe)
        self.progress = Progress()

    def _heads(self) -> NDArray[np.bool_]:
        """Which heads [heads] have any label to learn from."""
        return np.asarray((self.factors > 0).cpu().numpy())

    def _trained(self) -> list[tuple[str, Tensor]]:
        return [(k, v) for k, v in self.network.named_parameters() if v.requires_grad]

    def run(self) -> dict[str, Any]:
        """Train to the recipe's token budget; returns the training record, also written to training.json."""
        recipe = self.recipe
        started = datetime.now(UTC)
        say(f"tokenising {len(self.train)} examples")
        tokenised = of_examples(self.train, self.tokenizer, recipe, most_windows=MOST_WINDOWS)
        self._resume()
        clock, saved = time.monotonic() - self.progress.seconds, time.monotonic()
        while self.progress.tokens < recipe.total_tokens:
            batches = training_batches(tokenised, self.train, recipe, epoch=self.progress.epoch)
            while self.progress.batch < len(batches) and self.progress.tokens < recipe.total_tokens:
                self._step(tokenised, batches[self.progress.batch])
                self.progress.batch += 1
                self.progress.seconds = time.monotonic() - clock
                if self.progress.step % 50 == 0:
                    say(self._line())
                if time.monotonic() - saved > 60 * recipe.checkpoint_minutes:
                    self._save_checkpoint()
                    saved = time.monotonic()
            if self.progress.tokens < recipe.total_tokens:
                self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0
        self._save_checkpoint()
        self._take_average()
        say("fitting the wide part and joining it")
        development = of_examples(self.development, self.tokenizer, recipe, most_windows=MOST_WINDOWS)
        deep = window_logits(self.network, development, recipe, exact=False)
        given = tokenised.of_first(len(self.given))
        join(self.network, recipe, (given, self.given), development, deep, head_is_trained=self._heads())
        state = {k: v.cpu().contiguous() for k, v in self.network.state_dict().items()}
        save_file(state, self.run_dir / "weights.safetensors")
        record = {
            "recipe": recipe.name,
            "version": recipe.version,
            "seed": recipe.seed,
            "started_at": started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "examples": len(self.given),
            "augmented": len(self.train) - len(self.given),
            "head_factors": dict(zip(HEADS, self.factors.tolist(), strict=True)),
            **asdict(self.progress),
        }
        write_json(self.run_dir / "training.json", record)
        return record

    def _step(self, tokenised: Tokenised, window_indices: NDArray[np.int64]) -> None:
        batch = collate(tokenised, window_indices, self.recipe.buckets)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate_factor(self.progress.tokens, self.recipe, part=group["part"])
        loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for _, p in self._trained()], 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += int(batch.mask.sum())
        self.progress.loss += 0.02 * (float(loss.detach()) - self.progress.loss)
        decay = min(self.recipe.average_decay, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            for key, value in self._trained():
                self.average[key].lerp_(value, 1 - decay)

    def _loss(self, batch: Batch) -> Tensor:
        """The loss of one batch by the deep part alone; until the heads are warm the encoder stands still."""
        ids, mask, types, marks = (
            torch.from_numpy(a).to(self.device) for a in (batch.ids, batch.mask, batch.types, batch.marks)
        )
        labels = torch.from_numpy(self.train.labels[batch.rows]).to(self.device)
        weights = torch.from_numpy(self.train.weights[batch.rows]).to(self.device) * self.factors
        spans = torch.from_numpy(self.mark_weights[batch.rows]).to(self.device) * self.factors
        self.network.train()
        self.network.encoder.eval()
        frozen = self.progress.tokens < self.recipe.warmup_tokens
        seen = hide_pieces(ids, self.hidden, self.recipe.piece_masking, keep_below=max(*self.marks, self.hidden))
        with torch.autocast(self.device.type, dtype=torch.bfloat16), torch.no_grad() if frozen else nullcontext():
            states = self.network.encode(seen, mask, types)
        logits, evidence = self.network.pool(states.float(), mask * (1 - types))
        return text_loss(logits, labels, weights) + self.recipe.span_weight * mark_loss(evidence, marks, labels, spans)

    def _line(self) -> str:
        p, total = self.progress, self.recipe.total_tokens
        rate = p.tokens / max(p.seconds, 1e-9)
        eta = (total - p.tokens) / max(rate, 1e-9) / 60
        return (
            f"step {p.step} epoch {p.epoch} tokens {p.tokens / 1e6:.2f}M/{total / 1e6:.1f}M "
            f"loss {p.loss:.4f} {rate:.0f} tok/s ETA {eta:.0f} min"
        )

    def _save_checkpoint(self) -> None:
        """Tensors as safetensors, the rest as JSON; the JSON is renamed last and names the tensors it belongs to."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, Tensor] = {}
        index = {id(p): k for k, p in self._trained()}
        for key, value in self._trained():
            tensors[f"value/{key}"] = value.detach().cpu()
            tensors[f"average/{key}"] = self.average[key].cpu()
        for parameter, state in self.optimiser.state.items():
            for name, value in state.items():
                tensors[f"optimiser/{name}/{index[id(parameter)]}"] = value.detach().cpu()
        tensors["random"] = torch.get_rng_state()
        file = self.run_dir / f"checkpoint-{self.progress.step}.safetensors"
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, file)
        marker = {"tensors": file.name, "recipe": self.recipe.digest(), **asdict(self.progress)}
        write_json(self.run_dir / "checkpoint.json", marker)
        for old in self.run_dir.glob("checkpoint-*.safetensors"):
            if old != file:
                old.unlink()

    def _resume(self) -> None:
        marker = self.run_dir / "checkpoint.json"
        if not marker.is_file():
            return
        state = json.loads(marker.read_text(encoding="utf-8"))
        if state.pop("recipe", None) != self.recipe.digest():
            raise RecipeError(f"{marker.parent} holds a run of another recipe: give another folder, or remove it")
        tensors = load_file(self.run_dir / state.pop("tensors"))
        self.progress = Progress(**state)
        with torch.no_grad():
            for key, parameter in self._trained():
                parameter.copy_(tensors[f"value/{key}"])
                self.average[key].copy_(tensors[f"average/{key}"])
                moments = {n: tensors.get(f"optimiser/{n}/{key}") for n in ("step", "exp_avg", "exp_avg_sq")}
                if all(m is not None for m in moments.values()):
                    self.optimiser.state[parameter] = {
                        n: m.to(self.device) for n, m in moments.items() if m is not None
                    }
        torch.set_rng_state(tensors["random"])
        say(f"resumed at step {self.progress.step}, {self.progress.tokens / 1e6:.2f}M tokens")

    @torch.no_grad()
    def _take_average(self) -> None:
        """Give the network its averaged weights, drawn towards the pretrained ones by `keep_base`."""
        for key, parameter in self._trained():
            parameter.copy_(self.average[key])
        keep = self.recipe.keep_base
        for key, value in self.network.encoder.state_dict().items():
            if keep and value.is_floating_point():
                value.lerp_(self.base[key].to(self.device), keep)


def _mark_weights(examples: Examples, recipe: Recipe) -> NDArray[np.float32]:
    """The weight [n, heads] of each example's marked words: its labels' weights times its source's `span_weight`."""
    rules = [recipe.sources.get(name, SourceRule()) for name in examples.source_names]
    by_source = np.array([rule.span_weight for rule in rules], dtype=np.float32)
    weights: NDArray[np.float32] = examples.weights * by_source[examples.source][:, None]
    return weights


@torch.no_grad()
def window_logits(
    network: HarmNetwork, tokenised: Tokenised, recipe: Recipe, *, exact: bool = True
) -> NDArray[np.float32]:
    """Logits [windows, heads] of every window by the network in fp32, or faster with its encoder in bfloat16."""
    network.eval()
    device = next(network.parameters()).device
    out = np.empty((len(tokenised.text), len(HEADS)), dtype=np.float32)
    for chosen in ordered_batches(tokenised, recipe):
        batch = collate(tokenised, chosen, recipe.buckets)
        ids, mask, types = (torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask, batch.types))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=not exact):
            states = network.encode(ids, mask, types)
        keep = mask * (1 - types)
        out[chosen] = network.finish(network.pool(states.float(), keep)[0], ids, keep).cpu().numpy()
    return out


def load_network(recipe: Recipe, run_dir: Path) -> HarmNetwork:
    """The trained network of a run; raises FileNotFoundError before training has ended."""
    marks = encoder_marks(encoder_tokenizer(recipe))
    network = HarmNetwork.from_encoder(encoder_dir(recipe.encoder), marks=marks, dropout=0.0)
    network.load_state_dict(load_file(run_dir / "weights.safetensors"))
    return network.eval()


def main(recipe_path: Path, *, run_dir: Path | None = None, data_dir: Path | None = None) -> Path:
    """Train the recipe (resuming if the run folder holds a checkpoint); returns the run folder."""
    recipe = Recipe.load(recipe_path)
    folder = run_dir or Path("runs") / recipe.name
    examples, sources = load_examples(recipe, data_dir or data_dir_from_env())
    write_json(folder / "examples.json", training_summary(examples, sources))
    say(f"{len(examples)} examples from {len(sources)} sources")
    Trainer(recipe, examples, folder).run()
    return folder
