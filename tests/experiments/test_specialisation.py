"""Reading sub-nets' scores back from experiments: what it needs, and what it says where that is not there."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from sdr.base.errors import UserError
from sdr.experiments import specialisation
from sdr.experiments.specialisation import DOMAINS, of_row, revision

ROOT = Path(__file__).parents[2]
CLUSTERS = "cluster,size,purity,domain\n0,9,1.0,digits\n1,9,1.0,maps\n2,9,1.0,digits\n3,9,1.0,icons\n"
RANKING = "rank,subnet,prior,gain\n1,2,0.5,6\n2,0,0.4,4\n3,1,0.1,1\n4,3,0.0,-3\n"


def test_every_task_of_the_default_profile_has_its_kind_of_images():
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert set(params["tasks"]) <= set(DOMAINS)  # and those of committed rows


def test_numbers_of_a_task(tmp_path, monkeypatch):
    """By hand: digits' sub-nets are 0 and 2, scores follow the shares exactly."""
    for task in DOMAINS:
        folder = tmp_path / f"artifacts/route/{task}"
        folder.mkdir(parents=True)
        (folder / "ranking.csv").write_text(RANKING)
    (tmp_path / "artifacts/clusters").mkdir()
    (tmp_path / "artifacts/clusters/clusters.csv").write_text(CLUSTERS)

    class Files:
        def __init__(self, rev: str):
            assert rev == "abc"

        def open(self, name: str):
            return (tmp_path / name).open()

    monkeypatch.setattr(specialisation, "DVCFileSystem", Files)
    found = {row["task"]: row for row in specialisation.of_experiment("abc")}["digits"]
    assert (found["fit"], found["own"], found["others"], found["chosen"]) == (1.0, 5.0, -1.0, 6)
    assert found["spread"] == pytest.approx(pd.Series([6, 4, 1, -3]).std())


def test_an_unknown_row_and_an_experiment_that_is_not_here(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match="table3.yaml has no row 'nothing': there are 'SimSiam', "):
        of_row("table3", "nothing")
    with pytest.raises(UserError, match="no experiment seed-9_0 here"):
        revision("seed-9_0")
