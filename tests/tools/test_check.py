import copy
from pathlib import Path

import pytest
import yaml

from tools.check import main
from tools.rules import SECTIONS

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "params.yaml").read_text()
GOOD = yaml.safe_load(SHIPPED)
TASK = {"source": "builtin", "metric": "top1"}


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Check parameters; return the message, "" if all is well."""
    monkeypatch.chdir(tmp_path)

    def run(params: dict | str) -> str:
        text = params if isinstance(params, str) else yaml.dump(params, Dumper=yaml.CSafeDumper)
        (tmp_path / "params.yaml").write_text(text)
        try:
            main()
        except SystemExit as error:
            return str(error)
        return ""

    return run


def test_what_the_project_ships_is_right(check):
    assert check(SHIPPED) == ""


@pytest.mark.parametrize("name", SECTIONS)
def test_a_missing_section_is_named(check, name):
    message = check({key: value for key, value in GOOD.items() if key != name})
    assert f"`{name}` is missing" in message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_subnet": 4}, "unknown parameter `n_subnet`: is `n_subnets` meant?"),
        ({"zzz": 4}, "unknown parameter `zzz`"),
        ({"n_subnets": 0}, "`n_subnets`: input should be greater than 0, got 0"),
        ({"n_subnets": "4"}, "`n_subnets`: input should be a valid integer, got '4'"),
        ({"n_subnets": 257}, "n_subnets is 257"),
        ({"seed": -1}, "`seed`"),
        ({"score_check": {"birds": {}}}, "score_check: `birds` is not in `tasks`"),
        ({"adapt": {"birds": {"images": 9, "steps": 1, "lr": 0.1}}}, "adapt: `birds` is not in `tasks`"),
        ({"adapt": {"icons": {"images": 1, "steps": 1, "lr": 0.1}}}, "`adapt.icons.images`: "),
        ({"probe": GOOD["probe"] | {"tasks": ["birds"]}}, "probe.tasks: `birds` is not in `tasks`"),
        ({"probe": GOOD["probe"] | {"every": 0}}, "`probe.every`: input should be greater than 0, got 0"),
        ({"route": GOOD["route"] | {"method": "tree"}}, "`tree` needs calibrate.source: common"),
        ({"tasks": {"voc07.12": GOOD["tasks"]["icons"]}}, "tasks: name 'voc07.12'"),
        ({"tasks": {"2007": GOOD["tasks"]["icons"]}}, "tasks: name '2007'"),
        ({"tasks": {"icons": {"metric": "top1"}}}, "`tasks.icons.source`: missing"),
        ({"compare": {"a/b": {"source": "random"}}}, "compare: name 'a/b'"),
        ({"compare": {"gain": {"source": "random"}}}, "compare: `gain` is the name of one of our own"),
        (
            {"compare": {"mine": {"source": "checkpoint", "layout": "mocov3", "file": "x"}}},
            "`compare.mine.checkpoint.layout`",
        ),
        ({"pruned": {"gain": {"how": "structured"}}}, "pruned: `gain` is the name of one of our own"),
        ({"pruned": {"a/b": {"how": "structured"}}}, "pruned: name 'a/b'"),
        ({"pruned": {"pixels": {"how": "structured"}}}, "pruned: `pixels` is in `compare` too"),
        ({"pruned": {"ticket": {"how": "filters"}}}, "`pruned.ticket.how`"),
        ({"detection_networks": ["baseline", "mine"]}, "detection_networks: `mine` is none of baseline, w0, pixels"),
        ({"networks": ["pixels"]}, "networks: `baseline` is missing"),
        ({"networks": ["baseline", "pixels", "pixels"]}, "networks: `pixels` stands there twice"),
        ({"networks": ["baseline", "w0"]}, "networks: `w0` is never trained"),
        ({"detection_networks": ["baseline", "w0"]}, "detection_networks: `w0` is never trained"),
        ({"compare": {"pixels": {"source": "random"}}}, "compare.pixels: the tables take it for raw pixels"),
        ({"tasks": {"$(touch X)": TASK}}, "tasks: name '$(touch X)'"),
        (
            {
                "tasks": {"a": TASK, "a-w0": TASK},
                "compare": {"w0-w0": {"source": "random"}},
                "networks": ["baseline", "w0", "w0-w0"],
            },
            "`a-w0-w0` can be read as",
        ),
        ({"detection": {"demo": {"source": "scenes", "detector": "big"}}}, "detection.demo.detector: `big`"),
        ({"data": {**GOOD["data"], "sise": 1}}, "`data.sise`: unknown parameter"),
    ],
)
def test_mistakes_are_told(check, change, says):
    params = copy.deepcopy(GOOD) | change
    if params["n_subnets"] == 257:
        params["backbone"]["groups"] = 4
    message = check(params)
    assert message.startswith("error: params.yaml") and says in message


def test_all_mistakes_are_told_at_once(check):
    message = check({**GOOD, "extra": 1, "seed": "x", "embed": {}})
    assert all(name in message for name in ("`extra`", "`seed`", "`embed.side`")) and "Traceback" not in message


@pytest.mark.parametrize("text", ["", "a: [1"])
def test_a_broken_file_is_told(check, text):
    assert check(text).startswith("error: params.yaml")


def test_no_task_at_all_is_allowed(check):
    assert check({**GOOD, "tasks": {}}) == ""
