"""What a user gets who does something wrong: one message, exit status 1, no traceback, nothing written."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from sdr.corpus.store import write_images

ROOT = Path(__file__).parents[2]


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Run a stage's program, in this process, in an empty folder with the project's parameters, changed."""

    def run(*command: str, **changes) -> str:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        for name, value in changes.items():
            *sections, key = name.split("__")
            target = params
            for section in sections:
                target = target[section]
            if value is None:
                del target[key]
            else:
                target[key] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        before = files(tmp_path)
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as left:
            for name in [name for name in os.environ if name.startswith(("SDR_", "DVC_"))]:
                patch.delenv(name)
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", [*command])
            patch.setattr("sdr.base.errors.signal.signal", lambda *_: None)  # a program's handlers are not pytest's
            runpy.run_module(command[0], run_name="__main__", alter_sys=True)
        assert isinstance(left.value.code, str)  # which Python prints, and exits with status 1
        assert files(tmp_path) == before
        return left.value.code.strip().splitlines()[-1]

    return run


@pytest.mark.parametrize(
    "command, changes, message",
    [
        (["stages.cluster"], {"n_subnets": 257}, r"n_subnets is 257.*256 paths"),
        (["stages.cluster"], {"n_subnets": "many"}, r"`n_subnets`.*integer.*'many'"),
        (["stages.cluster"], {"cluster__epsilom": 1}, r"`cluster\.epsilom`: unknown parameter"),
        (["stages.cluster"], {"cluster__epsilon": None}, r"`cluster\.epsilon`: missing"),
        (["stages.cluster"], {"cluster": None}, r"parameter `cluster` is missing"),
        (["stages.cluster"], {"cluster__epsilon": -1.0}, r"`cluster\.epsilon`.*greater than 0.*-1\.0"),
        (["stages.prepare_task", "nobody"], {}, r"`nobody` is not in `tasks`"),
        (["stages.prepare"], {"data__source": "folder"}, r"SDR_DATA"),
        (["stages.pretrain"], {"simclr__temperature": 0.0}, r"`simclr\.temperature`.*greater than 0.*0\.0"),
        (["stages.train_sdr"], {"sdr__own": "some"}, r"`sdr\.own`.*'none', 'affine' or 'all'.*'some'"),
        (["stages.route", "icons"], {"route__candidates": ["subnets", "thin"]}, r"`route\.candidates\.1`.*'thin'"),
        (["stages.route", "icons"], {"route__candidates": []}, r"`route\.candidates`.*at least 1"),
        (["stages.adapt", "icons"], {}, r"`icons` is not in `adapt`"),
        (
            ["stages.adapt", "icons"],
            {"adapt": {"icons": {"images": 1, "steps": 9, "lr": 0.1}}},
            r"`adapt\.icons\.images`.*2.*1",
        ),
    ],
)
def test_one_message(stage, command, changes, message):
    assert re.search(message, stage(*command, **changes))


def test_more_clusters_than_images(stage, tmp_path):
    (tmp_path / "artifacts/features").mkdir(parents=True)
    (tmp_path / "artifacts/data").mkdir(parents=True)
    np.save(tmp_path / "artifacts/features/features.npy", np.ones((5, 3), np.float32))
    rows = [("a", "b", "c", 9, 8, 8, bytes(8 * 8 * 3))] * 5
    write_images(tmp_path / "artifacts/data", "decoded", rows, {})
    (tmp_path / "artifacts/data/meta.json").write_text('{"size": 8, "n": 5, "store": "decoded", "fingerprint": "x"}')
    assert "16 clusters of 5 images" in stage("stages.cluster", n_subnets=16)


def test_an_artifact_that_is_not_there(stage):
    assert "artifacts/data" in stage("stages.extract")


def test_a_program_of_its_own_ends_as_those_in_this_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "stages.prepare_task", "nobody"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith(("SDR_", "DVC_"))} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "error: " in done.stderr and "Traceback" not in done.stderr
    assert not files(tmp_path)
