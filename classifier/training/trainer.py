"""Training: heads first on the frozen encoder, then gently the upper layers, with an average of the weights kept.

Writes into the run's folder: `examples.json` (what was trained on), a checkpoint (a broken run goes on from it),
`weights.safetensors` (the averaged weights, joined with the wide part) and `training.json` (the training record). The
encoder runs without dropout: on a CPU its random numbers cost a third of the time.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from prefilter.classifier.corpus.augmentation import augment, join_examples
from prefilter.classifier.corpus.bucket_batches import Batch, collate, training_batches
from prefilter.classifier.corpus.corpus_summary import summarise_corpus
from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.merging import load_examples
from prefilter.classifier.corpus.sources import data_dir_from_env
from prefilter.classifier.corpus.tokenised import Tokenised, of_examples
from prefilter.classifier.encoder import encoder_dir, encoder_marks, encoder_tokenizer
from prefilter.classifier.recipe import Recipe
from prefilter.classifier.run_folder import EXAMPLES, WEIGHTS, run_folder, say, write_json
from prefilter.classifier.training.blending import blend_parts
from prefilter.classifier.training.checkpoint import Checkpoint, Progress
from prefilter.classifier.training.harm_network import HarmNetwork
from prefilter.classifier.training.inference import window_logits
from prefilter.classifier.training.label_weights import head_factors, mark_weights
from prefilter.classifier.training.loss import hide_pieces, mark_loss, text_loss
from prefilter.classifier.training.schedule import rate_factor
from prefilter.classifier.training.training_record import TrainingRecord, write_record
from prefilter.models.labels import HEADS

MOST_WINDOWS = 4
"""Windows of one text that training uses; scoring uses all."""


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
        self.optimiser = torch.optim.AdamW([g.for_optimiser() for g in self.groups], betas=(0.9, 0.98), fused=True)
        self.average = {k: v.detach().clone() for k, v in self._trained()}
        self.checkpoint = Checkpoint(run_dir, recipe.digest(), self._trained(), self.average, self.optimiser)
        self.factors = torch.tensor(head_factors(self.train), device=self.device)
        self.mark_weights = mark_weights(self.train, recipe)
        self.progress = Progress()

    def _trained(self) -> list[tuple[str, Tensor]]:
        return [(k, v) for k, v in self.network.named_parameters() if v.requires_grad]

    def run(self) -> TrainingRecord:
        """Train to the recipe's token budget; returns the training record, also written to training.json."""
        started = datetime.now(UTC)
        say(f"tokenising {len(self.train)} examples")
        tokenised = of_examples(self.train, self.tokenizer, self.recipe, most_windows=MOST_WINDOWS)
        self.progress = self.checkpoint.resume()
        self._learn(tokenised)
        self.checkpoint.save(self.progress)
        self._take_average()
        say("fitting the wide part and joining it")
        self._blend(tokenised)
        state = {k: v.cpu().contiguous() for k, v in self.network.state_dict().items()}
        save_file(state, self.run_dir / WEIGHTS)
        record = self._record(started)
        write_record(self.run_dir, record)
        return record

    def _learn(self, tokenised: Tokenised) -> None:
        """Passes over the data until the token budget is used up."""
        recipe, progress = self.recipe, self.progress
        clock, saved = time.monotonic() - progress.seconds, time.monotonic()
        while progress.tokens < recipe.total_tokens:
            batches = training_batches(tokenised, self.train, recipe, epoch=progress.epoch)
            while progress.batch < len(batches) and progress.tokens < recipe.total_tokens:
                self._step(tokenised, batches[progress.batch])
                progress.batch += 1
                progress.seconds = time.monotonic() - clock
                if progress.step % 50 == 0:
                    say(self._line())
                if time.monotonic() - saved > 60 * recipe.checkpoint_minutes:
                    self.checkpoint.save(progress)
                    saved = time.monotonic()
            if progress.tokens < recipe.total_tokens:
                progress.epoch, progress.batch = progress.epoch + 1, 0

    def _blend(self, tokenised: Tokenised) -> None:
        """Fit the wide part, to the given texts alone, and join it with the deep one."""
        development = of_examples(self.development, self.tokenizer, self.recipe, most_windows=MOST_WINDOWS)
        deep = window_logits(self.network, development, self.recipe, exact=False)
        given = tokenised.of_first(len(self.given))
        trained = np.asarray((self.factors > 0).cpu().numpy())
        blend_parts(self.network, self.recipe, (given, self.given), development, deep, head_is_trained=trained)

    def _record(self, started: datetime) -> TrainingRecord:
        progress = self.progress
        return TrainingRecord(
            recipe=self.recipe.name,
            version=self.recipe.version,
            seed=self.recipe.seed,
            started_at=started.isoformat(),
            finished_at=datetime.now(UTC).isoformat(),
            device=str(self.device),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            examples=len(self.given),
            augmented=len(self.train) - len(self.given),
            head_factors=dict(zip(HEADS, self.factors.tolist(), strict=True)),
            step=progress.step,
            epoch=progress.epoch,
            batch=progress.batch,
            tokens=progress.tokens,
            seconds=progress.seconds,
            loss=progress.loss,
        )

    def _step(self, tokenised: Tokenised, window_indices: NDArray[np.int64]) -> None:
        batch = collate(tokenised, window_indices, self.recipe.buckets)
        for own, group in zip(self.groups, self.optimiser.param_groups, strict=True):
            group["lr"] = own.peak * rate_factor(self.progress.tokens, self.recipe, part=own.part)
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
        """The loss of one batch by the deep part alone; until the heads are warm the encoder is frozen."""
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

    @torch.no_grad()
    def _take_average(self) -> None:
        """Give the network its averaged weights, drawn towards the pretrained ones by `keep_base`."""
        for key, parameter in self._trained():
            parameter.copy_(self.average[key])
        keep = self.recipe.keep_base
        for key, value in self.network.encoder.state_dict().items():
            if keep and value.is_floating_point():
                value.lerp_(self.base[key].to(self.device), keep)


def main(recipe_path: Path, *, run_dir: Path | None = None, data_dir: Path | None = None) -> Path:
    """Train the recipe (resuming if the run folder holds a checkpoint); returns the run folder."""
    recipe = Recipe.load(recipe_path)
    folder = run_folder(run_dir, recipe.name)
    examples, sources = load_examples(recipe, data_dir or data_dir_from_env())
    write_json(folder / EXAMPLES, summarise_corpus(examples, sources))
    say(f"{len(examples)} examples from {len(sources)} sources")
    Trainer(recipe, examples, folder).run()
    return folder
