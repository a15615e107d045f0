"""Whatever a developer's shell sets, tests see the same: no stage of DVC, one thread, no color. The longest files start first."""

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small tensors, and often few cores
# A test is right or wrong, however busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

LONG = (
    "dvc/test_pipeline.py",
    "dvc/test_experiments.py",
    "base/test_ranks.py",
    "dvc/test_dvc_yaml.py",
    "sources/test_builtin.py",
    "experiments/test_miniature.py",
    "train/test_survival.py",
    "train/test_loop.py",
    "export/test_timm_alone.py",
    "tools/test_dry_run.py",
    "experiments/test_sets.py",
    "export/test_portable.py",
    "dvc/test_remotes.py",
    "train/test_warm_start.py",
    "stages/test_start_up.py",
    "tools/test_check.py",
    "dvc/test_run_cache.py",
    "experiments/test_overrides.py",
    "stages/test_arguments.py",
    "ssl/test_simclr.py",
    "report/test_page.py",
    "route/test_search.py",
    "compare/test_make_backbone.py",
    "tools/test_refresh.py",
    "ssl/test_views.py",
    "cli/test_classifier.py",
    "detect/test_routing.py",
    "tools/test_recover.py",
    "train/test_cost.py",
    "detect/test_finetune.py",
    "export/test_card.py",
    "base/test_checkpoint.py",
    "experiments/test_page.py",
    "compare/test_layouts.py",
    "nets/test_supernet.py",
    "stages/test_report_stage.py",
    "detect/test_prepare.py",
    "corpus/test_store.py",
    "cli/test_cli.py",
    "dvc/test_committed_run.py",
    "detect/test_halving.py",
    "cluster/test_prototypes.py",
    "route/test_transferability.py",
    "sources/test_corpus.py",
    "detect/test_own_sets.py",
    "corpus/test_records.py",
    "experiments/test_routing_noise.py",
)
"""Files of more than some seconds of a core, the longest first: so the cores end together. Tests of all others are `quick`."""


@pytest.hookimpl(tryfirst=True)  # before `-m quick` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {Path(__file__).parent / name: i for i, name in enumerate(LONG)}
    for item in items:
        if item.path not in place and not item.get_closest_marker("pipeline"):
            item.add_marker("quick")
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No settings of a developer's shell; and what a test draws does not hang on the tests before it."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):  # libraries are not loaded for this alone
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    for name in list(os.environ):
        if name.startswith(("DVC_", "SDR_")):
            monkeypatch.delenv(name)
