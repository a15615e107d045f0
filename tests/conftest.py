"""Whatever a developer's shell sets, tests see the same: no stage of DVC, one thread, no color."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small tensors, and often few cores


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("DVC_", "SDR_")):
            monkeypatch.delenv(name)
