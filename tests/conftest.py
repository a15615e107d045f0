"""Whatever a developer's shell sets, tests see the same: no stage of DVC, one thread, no color. The longest files start first."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small tensors, and often few cores

LONG = (
    "dvc/test_pipeline.py",
    "dvc/test_experiments.py",
    "dvc/test_dvc_yaml.py",
    "base/test_ranks.py",
    "experiments/test_miniature.py",
    "train/test_survival.py",
    "dvc/test_remotes.py",
    "dvc/test_run_cache.py",
    "dvc/test_committed_run.py",
    "export/test_timm_alone.py",
    "sources/test_builtin.py",
    "experiments/test_overrides.py",
    "tools/test_dry_run.py",
    "experiments/test_sets.py",
    "tools/test_check.py",
    "tools/test_refresh.py",
    "tools/test_recover.py",
)
"""Files of many seconds, the longest first: so the cores end together. Tests of all others are `quick`."""


@pytest.hookimpl(tryfirst=True)  # before `-m quick` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {Path(__file__).parent / name: i for i, name in enumerate(LONG)}
    for item in items:
        if item.path not in place and not item.get_closest_marker("pipeline"):
            item.add_marker("quick")
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("DVC_", "SDR_")):
            monkeypatch.delenv(name)
