"""The pytest plug-in of schemathesis, for the tests here that use it: loaded with every run it cost each a second."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load what `addopts` in pyproject.toml keeps from loading itself."""
    config.pluginmanager.import_plugin("schemathesis.pytest.plugin")
