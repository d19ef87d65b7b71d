"""The machine that numbers were measured on: a number without its machine cannot be compared.

Reads what the operating system says; keeps host names, users and paths out of it.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def describe_machine() -> dict[str, str | int]:
    """Return CPU model, usable cores, vector instructions that int8 needs, system and library versions."""
    info = _cpu_info()
    flags = set(info.get("flags", "").split())
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "instructions": " ".join(flag for flag in _FLAGS if flag in flags),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
    }


def usable_cores() -> int:
    """Return the cores this process may run on."""
    return max(1, len(os.sched_getaffinity(0)))


def _cpu_info() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
