"""An artefact opened: the files of one model version as the parts that score, checked to fit each other.

Every file's sha256 is checked before the file is used. Separate from the scorer, so that scoring knows no files.
Scores nothing and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from prefilter.models import manifest as manifests
from prefilter.models.calibrator import CalibrationError, Calibrator
from prefilter.models.fast.clearance import Clearance
from prefilter.models.fast.fast_stage import FastStageError
from prefilter.models.known_error import KnownError
from prefilter.models.labels import HEADS
from prefilter.models.manifest import Manifest, ManifestError
from prefilter.models.onnx_network import Network, NetworkError
from prefilter.models.registry import resolve
from prefilter.models.text.cutter import Cutter
from prefilter.models.text.windows import MIN_ROOM, load_tokenizer


class ArtefactError(KnownError, RuntimeError):
    """The files of an artefact do not make a model; no text is in the message."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """The parts of one model. `clearance`: its fast stage with the certificates, None where it has none."""

    manifest: Manifest
    tokenizer: Tokenizer
    calibrator: Calibrator
    network: Network
    clearance: Clearance | None = None

    @classmethod
    def open(cls, model: str | Path | None = None, *, threads: int = 1) -> Artefact:
        """The model by name, by folder, or the default one; its network runs `threads` windows at once.

        Raises `RegistryError` (no such model), `ManifestError` (a file differs) or `ArtefactError`.
        """
        folder = resolve(model)
        manifest = manifests.verify(folder)
        try:
            found = _read(manifest, folder, threads)
        except ManifestError:
            raise
        except (CalibrationError, NetworkError, FastStageError) as error:
            raise ArtefactError(f"model {manifest.name}: {error}") from error
        except Exception as error:
            raise ArtefactError(f"model {manifest.name} cannot be loaded: {type(error).__name__}") from error
        found._check()
        return found

    @property
    def cutter(self) -> Cutter:
        """How the model cuts its texts."""
        window = self.manifest.window
        return Cutter(self.tokenizer, window["length"], window["overlap"], self.manifest.context)

    def _check(self) -> None:
        manifest = self.manifest
        if self.calibrator.heads != manifest.heads or set(manifest.heads) - set(HEADS):
            raise ArtefactError(f"model {manifest.name}: manifest and calibration name different heads")
        if manifest.context and not self.network.reads_context:
            raise ArtefactError(f"model {manifest.name} cannot tell a context from a text")
        if manifest.window["length"] - 3 - manifest.context < MIN_ROOM:
            raise ArtefactError(f"model {manifest.name} leaves no room beside a context")


def _read(manifest: Manifest, folder: Path, threads: int) -> Artefact:
    tokenizer = load_tokenizer(manifest.read(folder, manifests.TOKENIZER))
    calibrator = Calibrator.from_json(manifest.read(folder, manifests.CALIBRATION))
    network = Network(
        manifest.read(folder, manifests.MODEL),
        threads=threads,
        heads=len(manifest.heads),
        evidence=bool(manifest.spans),
    )
    return Artefact(manifest, tokenizer, calibrator, network, _clearance(manifest, folder, tokenizer))


def _clearance(manifest: Manifest, folder: Path, tokenizer: Tokenizer) -> Clearance | None:
    if manifests.FAST not in manifest.files:
        return None
    return Clearance.from_bytes(
        manifest.read(folder, manifests.FAST),
        outputs=manifest.fast_outputs,
        certificates=manifest.certificates,
        tokenizer=tokenizer,
    )
