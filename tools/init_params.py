"""A lean params.yaml for a person's own pictures: no demo, no detection, and sizes that suit the corpus."""

import hashlib
import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from sdr.base.profiles import yaml_round_trip

BUILTIN, IMAGENET = 11_231, 1_281_167  # images of the corpora that the profiles' lengths were chosen for
PER_CLUSTER = 150  # images of a cluster on average, at least: fewer and a sub-net sees the same ones again and again
FEWEST, MOST = 0.2, 10  # times a profile's own epochs
MARK = re.compile(r"# Made by `make init`; of the rest the SHA-256 is (\w{64})\n")
_EMPTY = {
    "compare": {},
    "pruned": {},
    "adapt": {},
    "score_check": {},
    "detection": {},
    "detection_networks": [],
    "detectors": {},
}
_OURS = ("baseline", "w0")  # networks that need no entry in `compare` or `pruned`


def lean(
    text: str,
    images: int,
    side: int,
    tasks: Mapping[str, Mapping[str, Any]],
    detection: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return parameters for a corpus, with comments that say why; the first line is a mark of this program.

    Args:
        text: params.yaml, or that of a profile.
        images: of the corpus.
        side: short side of most of its pictures, pixels.
        tasks, detection: entries of the sections of these names; those of `detection` get the first detector there is.
    """
    yaml = yaml_round_trip()
    params = yaml.load(text)
    reference = BUILTIN if params["data"]["source"] == "builtin" else IMAGENET
    _set(params["data"], "source", "folder", "$SDR_DATA, or local.yaml")
    stored = params["data"]["side"]
    shown = _multiple(min(side, stored))
    if shown < stored:
        why = f"most pictures have {side} pixels: more would be made up"
        for section in ("data", "embed"):
            _set(params[section], "side", shown, why)
        _set(params["views"], "side", max(16, _multiple(params["views"]["side"] * shown // stored)), why)
    n, most = _subnets(images, params["n_subnets"]), params["n_subnets"]
    if n != most:
        _set(params, "n_subnets", n, f"{images // n:,} pictures a cluster; {4 * n} would have {images // (4 * n):,}")
    for section in ("pretrain", "sdr"):
        _length(params[section], images, reference)
    params["tasks"] = {name: _on_one_line(spec) for name, spec in tasks.items()}
    if params["probe"]["every"] is not None:
        _set(params["probe"], "tasks", list(tasks)[:1], "kNN on it says whether the training learns anything for it")
    detector = next(iter(params["detectors"]))
    for name, empty in _EMPTY.items():
        if name not in ("detectors", "detection_networks") or not detection:
            params[name] = type(empty)()
    for name in ("networks", "detection_networks"):
        for network in [network for network in params[name] if network not in _OURS]:
            params[name].remove(network)
    if detection:
        params["detection"] = {name: _on_one_line({**spec, "detector": detector}) for name, spec in detection.items()}
    out = StringIO()
    yaml.dump(params, out)
    body = out.getvalue()
    return f"# Made by `make init`; of the rest the SHA-256 is {_digest(body)}\n" + body


def is_untouched(text: str) -> bool:
    """Whether this program made a params.yaml and nobody changed it since."""
    mark = MARK.match(text)
    return bool(mark) and _digest(text[mark.end() :]) == mark[1]


def _on_one_line(spec: Mapping[str, Any]) -> Any:
    from ruamel.yaml.comments import CommentedMap

    entry = CommentedMap(spec)
    entry.fa.set_flow_style()
    return entry


def _length(section: Any, images: int, reference: int) -> None:
    """As many steps as the profile takes on the corpus that it was made for, within bounds; a batch of no more than half."""
    optimization = section["optimization"]
    batch = optimization["batch_size"]
    if 2 * batch > images:
        smaller = max(2, images // 2)
        _set(optimization, "batch_size", smaller, f"half of {images:,} pictures")
        reference = reference * smaller // batch
    own = section["epochs"]
    epochs = min(MOST * own, max(FEWEST * own, own * reference / images))
    epochs = round(epochs) if epochs >= 5 else round(epochs, 1)
    if epochs != own:
        steps = round(epochs * images / optimization["batch_size"])
        _set(section, "epochs", epochs, f"{steps:,} steps on {images:,} pictures; the profile's own are {own}")
        if warmup := optimization.get("warmup_epochs"):
            optimization["warmup_epochs"] = round(warmup * epochs / own, 2)


def _subnets(images: int, most: int) -> int:
    n = 4
    while 4 * n <= most and images >= 4 * n * PER_CLUSTER:
        n *= 4
    return min(n, most)


def _multiple(side: int) -> int:
    """The next multiple of 16 below, at least 16."""
    return max(16, side // 16 * 16)


def _set(section: Any, key: str, value: object, why: str) -> None:
    """Set a value, and the reason as the comment behind it; lines of comment that follow there stay."""
    section[key] = value
    old = section.ca.items.get(key)
    rest = old[2].value.partition("\n")[2] if old and old[2] is not None else ""
    if old and old[2] is not None:
        old[2].value = f"# {why}\n{rest}"
    else:
        section.yaml_add_eol_comment(why, key, column=26)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
