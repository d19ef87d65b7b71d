"""The policy that a command names, without a database: a preset, a TOML file, or an exported `NAME@VERSION`.

Knows nothing of active policies, which a database has.
"""

from __future__ import annotations

from pathlib import Path

from prefilter.serving.bulk.bulk_errors import WrongRequest
from prefilter.serving.policy.policy import Policy, PolicyError
from prefilter.serving.policy.policy_file import load_export, load_toml
from prefilter.serving.policy.presets import PRESETS, load_preset


def find_policy(name_or_path: str) -> Policy:
    """Return the policy; raises WrongRequest naming what was looked for and what is wrong with it."""
    path = _as_file(name_or_path)
    try:
        if path is not None:
            return load_toml(path) if path.suffix.lower() == ".toml" else load_export(path)
        name, _, version = name_or_path.partition("@")
        if name in PRESETS:
            preset = load_preset(name)
            if version in ("", str(preset.version)):
                return preset
    except PolicyError as error:
        raise WrongRequest(f"policy {name_or_path}: {error}", field=error.field) from None
    except (OSError, UnicodeDecodeError):
        raise WrongRequest(f"policy {name_or_path}: the file cannot be read", field="policy") from None
    raise WrongRequest(
        f"policy {name_or_path}: neither a preset ({', '.join(PRESETS)}) nor a file; "
        "export one with: prefilter policy show NAME@VERSION > NAME@VERSION.json",
        field="policy",
    )


def _as_file(name_or_path: str) -> Path | None:
    """The file meant: the path itself, or with the ending that an export or a policy file has."""
    for ending in ("", ".json", ".toml"):
        path = Path(name_or_path + ending)
        if path.is_file() and name_or_path not in PRESETS:
            return path
    return None
