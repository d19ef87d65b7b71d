"""The checkpoint: everything that a broken training run needs to go on, and how far it had come.

Tensors as safetensors, the rest as JSON; the JSON is renamed last and names the tensors it belongs to, so that a kill
at any moment leaves a whole checkpoint. A checkpoint of another recipe is refused. Knows parameters by name, not what
they compute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from prefilter.classifier.recipe_tables import RecipeError
from prefilter.classifier.run_folder import CHECKPOINT, say, write_json


@dataclass(slots=True)
class Progress:
    """How far a run has come; what a checkpoint keeps beside the tensors."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What of a run is kept in `folder`: the trained parameters, their average, the optimiser, the random state.

    `recipe`: the recipe's digest. `save` and `resume` read and write the tensors in place.
    """

    folder: Path
    recipe: str
    trained: Sequence[tuple[str, Tensor]]
    average: Mapping[str, Tensor]
    optimiser: torch.optim.Optimizer

    def save(self, progress: Progress) -> None:
        """Write the checkpoint and remove the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, Tensor] = {}
        index = {id(p): k for k, p in self.trained}
        for key, value in self.trained:
            tensors[f"value/{key}"] = value.detach().cpu()
            tensors[f"average/{key}"] = self.average[key].cpu()
        for parameter, state in self.optimiser.state.items():
            for name, value in state.items():
                tensors[f"optimiser/{name}/{index[id(parameter)]}"] = value.detach().cpu()
        tensors["random"] = torch.get_rng_state()
        file = self.folder / f"checkpoint-{progress.step}.safetensors"
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, file)
        marker = {"tensors": file.name, "recipe": self.recipe, **asdict(progress)}
        write_json(self.folder / CHECKPOINT, marker)
        for old in self.folder.glob("checkpoint-*.safetensors"):
            if old != file:
                old.unlink()

    def resume(self) -> Progress:
        """Read the checkpoint into the tensors; how far the run had come, its beginning where there is none.

        Raises `RecipeError` for a checkpoint of another recipe.
        """
        marker = self.folder / CHECKPOINT
        if not marker.is_file():
            return Progress()
        state = json.loads(marker.read_text(encoding="utf-8"))
        if state.pop("recipe", None) != self.recipe:
            raise RecipeError(f"{marker.parent} holds a run of another recipe: give another folder, or remove it")
        tensors = load_file(self.folder / state.pop("tensors"))
        with torch.no_grad():
            for key, parameter in self.trained:
                self._restore(key, parameter, tensors)
        torch.set_rng_state(tensors["random"])
        progress = Progress(**state)
        say(f"resumed at step {progress.step}, {progress.tokens / 1e6:.2f}M tokens")
        return progress

    def _restore(self, key: str, parameter: Tensor, tensors: Mapping[str, Tensor]) -> None:
        parameter.copy_(tensors[f"value/{key}"])
        self.average[key].copy_(tensors[f"average/{key}"])
        moments = {n: tensors.get(f"optimiser/{n}/{key}") for n in ("step", "exp_avg", "exp_avg_sq")}
        if all(m is not None for m in moments.values()):
            self.optimiser.state[parameter] = {
                n: m.to(parameter.device) for n, m in moments.items() if m is not None
            }
