"""A miniature of one row a switch of the sets of experiments: all stages that lead to its scores, really run, on noise.

Widths, images and numbers of neighbours and penalties are tiny, and all epochs are an SCALE-th, so that a training makes
some steps. Everything else is as in params.yaml and as the row says, its number of sub-nets too.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sdr.corpus.store import ImageStore
from sdr.experiments.collect import numbers
from sdr.experiments.sets import ExperimentSet, Row, experiment_of, read_set, set_names
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.folder import load_resnet
from sdr.ssl.folder import count
from tests.experiments.miniature import ROOT, Miniature, changed

SETS = {name: read_set(name, ROOT / "experiments") for name in set_names(ROOT / "experiments")}
SWITCHES = {
    (found.profile, row.of, *sorted(row.set)): (name, found, row)
    for name, found in SETS.items()
    if found.profile in ("", "paper")
    for row in reversed(found.rows)
}
ROWS = [pytest.param(found, row, id=f"{name}-{row.name}") for name, found, row in SWITCHES.values()]
SPEC = Backbone(**changed({}, "paper")["backbone"])


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    root = tmp_path_factory.mktemp("miniature")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdr.base.errors.signal.signal", lambda *_: None)  # the handlers of a program are not pytest's
        yield Miniature(root)


@pytest.fixture
def run(mini, monkeypatch):
    """Run what makes a row's scores, with the first seed; return the folder."""
    for name, folder in (("SDR_DATA", "corpus"), ("SDR_DATA_TASKS", "tasks")):
        monkeypatch.setenv(name, str(mini.root / folder))
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return lambda found, row: mini.run(experiment_of(found, row, found.seeds[0]))


@pytest.fixture
def with_set(run):
    """Run the row of a committed set that changes exactly these parameters; return the folder."""

    def find(set_name: str, **changes) -> Path:
        found = SETS[set_name]
        changes = {key.replace("__", "."): value for key, value in changes.items()}
        [row, *_] = [row for row in found.rows if row.set == changes]
        return run(found, row)

    return find


@pytest.mark.parametrize(("found", "row"), ROWS)
def test_a_row_has_scores_and_a_line_in_its_table(run, found: ExperimentSet, row: Row):
    folder = run(found, row)
    cells = numbers(row.of, folder / "artifacts")
    for protocol in ("linear", "knn"):
        assert 0 <= cells[protocol] == cells[f"{protocol}.noise"] <= 100
    assert cells["images"] > 0
    # Rounded: of a miniature these may be 0.
    assert cells["seconds"] >= 0 and cells["teramacs_in_all"] >= cells["teramacs"] >= 0
    assert (cells["spread"] != "") == (row.of == "sdr")


@pytest.mark.parametrize(("found", "row"), [p for p in ROWS if p.values[1].set])
def test_what_a_row_changes_changes_its_network(run, found, row):
    """Pruned networks are compared with each other: the default profile has none."""
    if row.set and all(name.startswith("route.") for name in row.set):
        run(found, row)  # it changes what is taken, which need not be another network of so small a run
        return
    usual = row.model_copy(update={"set": {}, "of": row.of if row.of in ("w0", "sdr") else "baseline"})
    assert network(run(found, row), row.of) != network(run(found, usual), usual.of)


def network(folder: Path, of: str) -> str:
    """Digest of all weights and statistics of the network that a row measures."""
    supernet = ["sdrnet/model.safetensors", "calibration/bn.safetensors"]
    files = {"baseline": ["baseline/model.safetensors"], "w0": supernet, "sdr": supernet}
    files["adapted"] = ["adapted/noise/backbone/model.safetensors"]
    digest = hashlib.sha256()
    for file in files.get(of, [f"backbones/{of}/model.safetensors"]):
        digest.update((folder / "artifacts" / file).read_bytes())
    return digest.hexdigest()


def test_no_stage_runs_twice_for_the_same_inputs(mini, run):
    """Rows and sets share the baseline, and what does not hang on what they change."""
    for _, found, row in SWITCHES.values():
        run(found, row)
    stages = [name for name, _ in mini.ran]
    assert stages.count("prepare") == stages.count("prepare_task@noise") == 1
    different = {json.dumps(pretraining(folder), sort_keys=True) for name, folder in mini.ran if name == "pretrain"}
    assert stages.count("pretrain") == len(different)
    before = len(mini.ran)
    run(SETS["fig1"], SETS["fig1"].rows[0])
    assert len(mini.ran) == before


def pretraining(folder: Path) -> list:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    return [params[name] for name in ("seed", "method", "backbone", "pretrain", "compute", "calibrate")]


def config(folder: Path, network: str) -> dict:
    return json.loads((folder / f"artifacts/{network}/config.json").read_text())


@pytest.mark.parametrize("part", ["A"])
def test_a_part_trains_on_its_images_alone_and_equal_steps_are_equal(mini, with_set, part):
    """All that the stage reads of the corpus: batches, and the images that statistics are measured on."""
    everything = with_set("fig1")
    epochs, steps = (
        with_set("fig1", pretrain__part=part),
        with_set("fig1", pretrain__part=part, pretrain__epoch="corpus"),
    )
    domains = np.array(ImageStore.open(everything / "artifacts/data").domains)
    shown = {"A": {"maps", "photographs"}, "B": {"digits", "icons", "pictograms"}}[part]
    for folder, expected in ((epochs, shown), (steps, shown), (everything, set(domains))):
        where = (folder / "artifacts/baseline").resolve().parents[1]  # the folder that the stage ran in
        assert set(domains[sorted(mini.read[where, "pretrain"])]) == expected
    share = np.isin(domains, list(shown)).mean()
    assert config(steps, "baseline")["steps"] == config(everything, "baseline")["steps"] > 2
    assert config(epochs, "baseline")["steps"] == pytest.approx(share * config(everything, "baseline")["steps"], abs=1)


def test_the_wide_baseline_is_a_supernet_and_what_is_pruned_of_it_a_subnet(run):
    rows = {row.of: row for row in SETS["table3"].rows if "pruned.structured" in row.set}
    folder = run(SETS["table3"], rows["structured"])
    wide, narrow = (count(resnet(SPEC, widths)) for widths in (SPEC.supernet_widths, SPEC.subnet_widths))
    assert config(folder, "baseline")["parameters"]["supernet"] == wide > narrow
    whole, holed = (load_resnet(folder / f"artifacts/backbones/{how}") for how in ("structured", "unstructured"))
    assert count(whole) == narrow and count(holed) == wide
    assert sum(int(p.count_nonzero()) for p in holed.parameters()) == narrow
    assert config(run(SETS["table3"], SETS["table3"].rows[0]), "baseline")["parameters"]["supernet"] == narrow


@pytest.mark.parametrize("n", [4, 256])
def test_so_many_subnets_are_trained_and_tried(with_set, n):
    folder = with_set("table4", n_subnets=n)
    assert config(folder, "sdrnet")["n_subnets"] == n
    assignment = np.load(folder / "artifacts/clusters/assignment.npy")
    assert set(assignment) == set(range(n))
    assert len((folder / "artifacts/route/noise/ranking.csv").read_text().splitlines()) == n + 1
    assert max(trained(folder)) >= n // 4, "no sub-net of the last phase was trained"


def trained(folder: Path) -> list[int]:
    """Number of the network of each step, -1 for W_0."""
    header, *lines = (folder / "artifacts/sdrnet/history.csv").read_text().splitlines()
    place = header.split(",").index("network")
    names = [text.split(",")[place] for text in lines]
    return [-1 if name == "W0" else int(name) for name in names]


def test_the_tree_numbers_the_same_clusters_anew(with_set):
    usual, tree = (
        np.load(folder / "artifacts/clusters/assignment.npy")
        for folder in (with_set("beyond"), with_set("beyond", cluster__mapping="tree"))
    )
    pairs = set(zip(usual.tolist(), tree.tolist()))
    assert len(pairs) == len(set(usual)) == len(set(tree)) == 16
    assert any(a != b for a, b in pairs)


def test_common_statistics_leave_the_training_alone(with_set):
    usual, common = with_set("beyond"), with_set("beyond", calibrate__source="common")
    assert (common / "artifacts/sdrnet").resolve() == (usual / "artifacts/sdrnet").resolve()
    assert network(usual, "sdr") != network(common, "sdr")


def test_subsets_are_clusters_random_or_everything(with_set):
    """Three trainings on the same clusters, which differ in the images that sub-nets see."""
    folders = [
        with_set("distillation"),
        *(with_set("table3", sdr__subsets=kind) for kind in ("random", "all")),
    ]
    assert len({network(folder, "sdr") for folder in folders}) == 3
    assert len({(folder / "artifacts/clusters").resolve() for folder in folders}) == 1
    assert len({tuple(trained(folder)) for folder in folders}) == 1


def test_distillation_has_four_kinds(with_set):
    kinds = [{}, {"sdr__distill_views": 2}, {"sdr__distill": "l2"}, {"sdr__distill": "none"}]
    assert len({network(with_set("distillation", **kind), "sdr") for kind in kinds}) == 4


def test_w0_has_its_share_and_none_where_subnets_images_train_it(with_set):
    few, usual, many = (
        trained(folder).count(-1)
        for folder in (
            with_set("beyond", sdr__w0_share=0.2),
            with_set("beyond"),
            with_set("beyond", sdr__w0_share=0.6),
        )
    )
    assert few < usual < many
    teacher = with_set("beyond", sdr__train_teacher=True, sdr__w0_share=0.0, sdr__epochs=10)
    first = config(teacher, "sdrnet")["phases"][1]
    assert trained(teacher).count(-1) == first > 0
    assert len(trained(teacher)) * 2 == pytest.approx(len(trained(with_set("beyond"))), abs=2)


def test_all_subnets_from_the_first_step_after_w0(with_set):
    naive, progressive = with_set("table3", sdr__progressive=False), with_set("beyond")
    assert len(config(naive, "sdrnet")["phases"]) == 2 and len(config(progressive, "sdrnet")["phases"]) == 3


def test_byol_is_the_method_of_the_baseline_and_of_sdr(with_set):
    folder = with_set("table1", method="byol")
    assert config(folder, "baseline")["method"] == config(folder, "sdrnet")["method"] == "byol"
