"""What the whole of params.yaml must be: each section, and what sections say of each other."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

from sdr.base.errors import UserError
from sdr.base.names import ambiguous, check_name
from sdr.base.params import load
from sdr.cluster.prototypes import Cluster
from sdr.compare.compare import RESERVED, CompareSpec
from sdr.compare.prune import Pruned
from sdr.detect.params import Detector
from sdr.detect.sets import DetectionSpec
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.adopt import check_same
from sdr.nets.backbone import Backbone
from sdr.nets.calibrate import Calibration
from sdr.nets.embed import Embedding
from sdr.nets.heads import Heads
from sdr.nets.paths import check_n_subnets
from sdr.nets.start import RANDOM, folder_of, taken
from sdr.report.run import RAW
from sdr.route.search import Search
from sdr.sources.corpus import Data
from sdr.ssl.byol import Target
from sdr.ssl.method import Method
from sdr.ssl.simclr import Contrast
from sdr.ssl.views import Views
from sdr.tasks.files import reader_of
from sdr.tasks.task import TaskSpec
from sdr.train.adapt import Adapt
from sdr.train.compute import Compute
from sdr.train.probe import Probing
from sdr.train.settings import Pretrain, Sdr

SECTIONS = {
    "n_subnets": PositiveInt,
    "seed": NonNegativeInt,
    "method": Method,
    "processes": PositiveInt,
    "split": str,
    "data": Data,
    "views": Views,
    "backbone": Backbone,
    "heads": Heads,
    "byol": Target,
    "simclr": Contrast,
    "compute": Compute,
    "pretrain": Pretrain,
    "cluster": Cluster,
    "sdr": Sdr,
    "probe": Probing,
    "calibrate": Calibration,
    "embed": Embedding,
    "route": Search,
    "adapt": dict[str, Adapt],
    "score_check": dict[str, dict],
    "knn": Knn,
    "linear": Linear,
    "tasks": dict[str, TaskSpec],
    "compare": dict[str, CompareSpec],
    "pruned": dict[str, Pruned],
    "networks": list[str],
    "detection": dict[str, DetectionSpec],
    "detection_networks": list[str],
    "detectors": dict[str, Detector],
}


NAMED = (
    "tasks",
    "compare",
    "pruned",
    "networks",
    "adapt",
    "score_check",
    "detection",
    "detection_networks",
    "detectors",
)
OWN = ("baseline", "w0")  # networks that are made by the pipeline itself


def unknown() -> Iterable[str]:
    """What is said of each name at the top of params.yaml that no stage reads."""
    for name in _everything():
        if name not in SECTIONS:
            close = difflib.get_close_matches(str(name), SECTIONS, 1)
            yield f"params.yaml: unknown parameter `{name}`" + (f": is `{close[0]}` meant?" if close else "")


def wrong() -> Iterable[str]:
    """What is said of each section that is missing or wrong, and of those that do not go together."""
    right = {}
    for name, kind in SECTIONS.items():
        try:
            right |= load(**{name: kind})
        except UserError as error:
            yield str(error)
    yield from names(right)
    for name, spec in right.get("tasks", {}).items():
        try:
            reader_of(name, spec)
        except UserError as error:
            yield str(error)
    probed = right["probe"].tasks if "probe" in right else []
    for section, named in (
        *((name, right.get(name, ())) for name in ("adapt", "score_check")),
        ("probe.tasks", probed),
    ):
        for name in named:
            if name not in right.get("tasks", [name]):
                yield f"params.yaml: {section}: `{name}` is not in `tasks`"
    for name, spec in right.get("detection", {}).items():
        if spec.detector not in right.get("detectors", [spec.detector]):
            yield f"params.yaml: detection.{name}.detector: `{spec.detector}` is not in `detectors`"
    if {"route", "calibrate"} <= right.keys() and right["route"].method == "tree":
        if right["calibrate"].source != "common":
            yield "params.yaml: route.method: `tree` needs calibrate.source: common"
    yield from start(right)
    if "n_subnets" in right and "backbone" in right:
        try:
            check_n_subnets(right["n_subnets"], right["backbone"].n_paths)
        except UserError as error:
            yield str(error)


def start(right: dict[str, Any]) -> Iterable[str]:
    """What is said of the network that `pretrain.init` names: whether there is one, and of the shape that `backbone` has.

    Nothing is downloaded. A folder that is not on this machine is no matter where the network was taken from it already.
    """
    if not {"pretrain", "compare", "backbone", "seed"} <= right.keys() or right["pretrain"].init == RANDOM:
        return
    from sdr.compare.start import open_start

    init, spec = right["pretrain"].init, right["backbone"]
    try:
        folder_of(init, right["compare"])
    except UserError as error:
        if taken().get("init") != init:
            yield str(error)
        return
    try:
        with TemporaryDirectory() as folder:
            found = open_start(init, right["compare"], spec.groups, right["seed"], Path(folder), weights=False)
        check_same(found.spec, spec, init)
    except UserError as error:
        yield str(error)


def names(right: dict[str, Any]) -> Iterable[str]:
    """What is said of the names of entries, and of those that name each other."""
    given = {section: right.get(section, ()) for section in NAMED}
    for section, entries in given.items():
        for name in entries:
            try:
                check_name(section, name)
            except UserError as error:
                yield str(error)
    for section in ("compare", "pruned"):
        for name in set(given[section]) & set(RESERVED):
            yield f"params.yaml: {section}: `{name}` is the name of one of our own columns; take another"
    for name in set(given["compare"]) & set(given["pruned"]):
        yield f"params.yaml: pruned: `{name}` is in `compare` too; take another name for one of them"
    if {"compare", "pruned"} <= right.keys():
        networks = [*OWN, *given["compare"], *given["pruned"]]
        for section in ("networks", "detection_networks"):
            for name in given[section]:
                if name not in networks:
                    yield f"params.yaml: {section}: `{name}` is none of {', '.join(networks)}"
                if given[section].count(name) > 1:
                    yield f"params.yaml: {section}: `{name}` stands there twice"
    if "sdr" in right and right.get("n_subnets") != 1 and not right["sdr"].trains_w0:
        for section in (section for section in ("networks", "detection_networks") if "w0" in given[section]):
            yield f"params.yaml: {section}: `w0` is never trained (sdr.first_phase and w0_share are 0): take it out, or train it"
    if "compare" in right and RAW in given["compare"] and given["compare"][RAW].source != RAW:
        yield f"params.yaml: compare.{RAW}: the tables take it for raw pixels; call it otherwise, or set source: pixels"
    if "networks" in right and "baseline" not in given["networks"]:
        yield "params.yaml: networks: `baseline` is missing: the report sets the routed sub-nets beside it (to evaluate other networks alone: `dvc repro evaluate`)"
    if "baseline" not in given["detection_networks"] and right.get("detection"):
        yield "params.yaml: detection_networks: `baseline` is missing: the report sets the routed sub-nets beside it"
    if "mean" in given["tasks"]:
        yield "params.yaml: tasks: `mean` is what the mean over the tasks is called; take another name"
    yield from ambiguous("tasks", "networks", given)
    yield from ambiguous("detection", "detection_networks", given)


def _everything() -> dict[str, Any]:
    import yaml

    try:
        with open("params.yaml") as file:
            return yaml.safe_load(file) or {}
    except (OSError, yaml.YAMLError):
        return {}  # `load` says what is wrong with the file
