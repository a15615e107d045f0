"""Which state a training goes on from, what is kept, what is said, and that nothing is lost on the way."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sdr.base import checkpoint
from sdr.base.checkpoint import WEEK, Checkpoints, States, fingerprint
from sdr.base.params import Section

ROOT = Path(__file__).parents[2]
SHA = "0123456789abcdef" * 4
ALL_CODE = checkpoint._code
FACTS = {"params": {"seed": 0, "lr": 0.5, "layers": [1, 1, 2]}, "data": SHA}


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(checkpoint, "_code", lambda: {"sdr/a.py": "111", "sdr/b.py": "222"})
    return tmp_path / "scratch"


def state(step: int) -> dict:
    return {"weights": torch.full((50,), float(step)), "step": step}


def trained(*steps: int, stage: str = "pretrain", facts: dict = FACTS, keep: int = 3) -> Checkpoints:
    checkpoints = Checkpoints(stage, facts, keep=keep)
    for step in steps:
        checkpoints.save(state(step), step)
    return checkpoints


def loaded(facts: dict = FACTS, stage: str = "pretrain") -> int | None:
    found = Checkpoints(stage, facts).load()
    assert found is None or torch.equal(found["weights"], state(found["step"])["weights"])
    return None if found is None else found["step"]


def steps(folder: Path) -> list[int]:
    return sorted(int(file.stem.removeprefix("step-")) for file in folder.glob("step-*.ckpt"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# what is there


def test_nothing_is_there_at_first_and_nothing_is_said(scratch, capsys):
    checkpoints = Checkpoints("pretrain", FACTS)
    assert checkpoints.load() is None and checkpoints.last is None
    assert capsys.readouterr() == ("", "") and not scratch.exists()


def test_it_goes_on_from_the_newest(scratch, capsys):
    one = trained(5, 900, 1200)
    assert one.last == one.folder / "step-00001200.ckpt" and one.last.exists()
    assert one.folder.parent == scratch / "training" and one.folder.name.startswith("pretrain-")
    two = Checkpoints("pretrain", FACTS)
    assert two.load()["step"] == 1200 and two.last == one.last
    assert capsys.readouterr() == ("", "")


def test_the_newest_is_that_of_the_latest_step_not_of_the_longest_name():
    trained(99_999_999, 100_000_001)
    assert loaded() == 100_000_001


def test_the_scratch_folder_is_beside_the_pipeline_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("SDR_SCRATCH")
    monkeypatch.chdir(tmp_path)
    assert Checkpoints("x", {}).folder.resolve().parent == tmp_path / ".scratch/training"
    monkeypatch.setenv("DVC_ROOT", "/repo")
    assert Checkpoints("x", {}).folder.parent == Path("/repo/.scratch/training")


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_the_last_are_kept(keep):
    checkpoints = Checkpoints("pretrain", FACTS, keep=keep)
    for step in range(0, 40, 10):
        checkpoints.save(state(step), step)
        assert steps(checkpoints.folder) == list(range(0, step + 1, 10))[-keep:]
    assert loaded() == 30


def test_a_step_can_be_saved_twice():
    one = trained(10, 20)
    one.save(state(20) | {"again": True}, 20)
    assert steps(one.folder) == [10, 20] and Checkpoints("pretrain", FACTS).load()["again"]


def test_due_by_a_clock_that_only_runs_forward(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    one = Checkpoints("pretrain", FACTS, seconds=60.0)
    for passed, due in [(0, False), (59.9, False), (60.1, True)]:
        clock[0] = 1000.0 + passed
        assert one.due() == due
    one.save(state(1), 1)
    assert not one.due()
    clock[0] += 60.0
    assert one.due()
    one.load()  # what is on the disk is what is in memory
    assert not one.due()
    assert Checkpoints("pretrain", FACTS, seconds=0.0).due()


def test_removed_it_is_gone_and_the_others_are_not(scratch):
    other = trained(1, facts={"params": 2})
    one = trained(1, 2)
    one.remove()
    assert loaded() is None and not one.folder.exists() and steps(other.folder) == [1]
    one.remove()  # again is no error: whoever shared it may have been first


# what is damaged


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-300] ^= 4
    file.write_bytes(content)


def test_a_damaged_one_is_named_and_the_one_before_is_used(capsys):
    one = trained(10, 20, 30)
    truncate(one.folder / "step-00000030.ckpt")
    two = Checkpoints("pretrain", FACTS)
    assert two.load()["step"] == 20 and two.last == one.folder / "step-00000020.ckpt"
    said = capsys.readouterr().err
    assert "step-00000030.ckpt: it is truncated" in said and "the one before is used" in said
    flip(one.folder / "step-00000020.ckpt")
    assert loaded() == 10
    said = capsys.readouterr().err
    assert "step-00000030.ckpt: it is truncated" in said and "step-00000020.ckpt: it is damaged" in said
    (one.folder / "step-00000010.ckpt").write_bytes(b"")
    assert loaded() is None
    said = capsys.readouterr().err
    assert "step-00000010.ckpt: it is empty" in said and "starting anew" in said


def test_files_of_other_trainings_put_there_are_named_and_not_used(capsys):
    one, stage, other = trained(10), trained(20, stage="sdr"), trained(30, facts={"params": 1})
    for file in (stage.last, other.last):
        os.link(file, one.folder / file.name)
    assert loaded() == 10
    said = capsys.readouterr().err
    assert "step-00000020.ckpt: it is of another stage, sdr" in said
    assert "step-00000030.ckpt: it is of another training" in said


def test_a_damaged_one_makes_no_room_for_itself():
    """Of later steps than the next save, it must not count among those that are kept."""
    one = trained(10, 20, 30, keep=2)
    flip(one.folder / "step-00000030.ckpt")
    two = Checkpoints("pretrain", FACTS, keep=2)
    two.load()
    assert steps(one.folder) == [20, 30]  # until there is a newer good one
    two.save(state(25), 25)
    assert steps(one.folder) == [20, 25] and loaded() == 25


def test_other_files_in_the_folder_are_left_alone(capsys):
    one = trained(10)
    (one.folder / "notes.txt").write_text("mine")
    (one.folder / "step-1.ckpt.bak").write_text("mine")
    assert loaded() == 10 and capsys.readouterr().err == ""
    trained(20, keep=1)
    assert (one.folder / "notes.txt").exists() and (one.folder / "step-1.ckpt.bak").exists()


# what it depends on


class Sgd(Section):
    lr: float
    betas: tuple[float, float] = (0.9, 0.99)


def changed(**parts) -> dict:
    return FACTS | {"params": FACTS["params"] | parts}


def test_the_same_facts_in_another_order_are_the_same():
    trained(10)
    assert loaded({"data": SHA, "params": {"layers": [1, 1, 2], "lr": 0.5, "seed": 0}}) == 10


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (changed(lr=0.25), ["params.lr: 0.5 → 0.25"]),
        (changed(lr="0.5"), ['params.lr: 0.5 → "0.5"']),
        (changed(seed=False), ["params.seed: 0 → false"]),
        (changed(layers=[1, 3, 2]), ["params.layers.1: 1 → 3"]),
        (changed(layers=[1, 1]), ["params.layers.2: 2 → (absent)"]),
        (changed(nesterov=True), ["params.nesterov: (absent) → true"]),
        (changed(seed=1, lr=0.1), ["params.lr: 0.5 → 0.1", "params.seed: 0 → 1"]),
        (FACTS | {"data": "0" + SHA}, ['data: "0123456789abcdef012…9abcdef" → "00123456789abcdef01…9abcdef"']),
        ({"params": FACTS["params"]}, ['data: "0123456789abcdef012…9abcdef" → (absent)']),
    ],
)
def test_what_differs_is_said_and_nothing_is_resumed(capsys, facts, lines):
    one = trained(10, 20)
    before = files(one.folder)
    two = Checkpoints("pretrain", facts)
    assert two.load() is None
    said = capsys.readouterr().err
    assert sorted(line.strip() for line in said.splitlines()[1:-1]) == lines
    assert "starting anew" in said and str(one.last) in said
    two.save(state(3), 3)
    two.remove()
    assert files(one.folder) == before and loaded() == 20  # with the old values it goes on


def test_changed_code_and_another_torch_are_named(capsys, monkeypatch):
    trained(10)
    monkeypatch.setattr(checkpoint, "_code", lambda: {"sdr/a.py": "333", "sdr/b.py": "222"})
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert loaded() is None
    said = capsys.readouterr().err
    assert 'code.sdr/a.py: "111" → "333"' in said and 'torch: "' in said and "b.py" not in said


def test_of_many_differences_the_first_are_said(capsys):
    trained(10, facts={"params": {f"p{i:02}": i for i in range(30)}})
    assert loaded({"params": {f"p{i:02}": i + 1 for i in range(30)}}) is None
    said = capsys.readouterr().err
    assert "params.p11: 11 → 12" in said and "p12" not in said and "and 18 more" in said


def test_sections_can_be_among_the_facts(capsys):
    trained(10, facts={"sgd": Sgd(lr=0.5)})
    assert loaded({"sgd": Sgd(lr=0.5)}) == 10
    assert loaded({"sgd": Sgd(lr=0.5, betas=(0.9, 0.95))}) is None
    assert "sgd.betas.1: 0.99 → 0.95" in capsys.readouterr().err


def test_facts_that_have_no_lasting_name_are_refused():
    with pytest.raises(TypeError, match="cannot depend on a object"):
        Checkpoints("pretrain", {"x": object()})


def test_it_is_compared_with_the_last_used_of_the_stage_alone(capsys):
    for seed, ago in [(1, 50), (2, 20), (3, 80)]:
        os.utime(trained(seed, facts=changed(seed=seed)).folder, (time.time() - ago,) * 2)
    trained(7, stage="pretrain-x", facts={}), trained(8, stage="sdr", facts={})
    assert loaded(changed(seed=4)) is None
    said = capsys.readouterr().err
    assert "params.seed: 2 → 4" in said and "3 unfinished trainings" in said
    assert len(said.splitlines()) == 3
    assert loaded(stage="x") is None and capsys.readouterr().err == ""


def test_facts_that_cannot_be_read_are_no_obstacle(capsys):
    one = trained(10)
    for content in ("{", None):
        (one.folder / "facts.json").write_text(content) if content else (one.folder / "facts.json").unlink()
        assert loaded(changed(seed=5)) is None
        assert "facts.json cannot be read" in capsys.readouterr().err
    assert loaded() == 10
    trained(20)
    assert json.loads((one.folder / "facts.json").read_text())["params"] == FACTS["params"]


def test_folders_go_when_three_others_were_used_since_and_none_for_a_week():
    days = {1: 1, 2: 3, 3: 20, 4: 30, 5: 6.9, 6: 7.1}
    folders = {seed: trained(1, facts=changed(seed=seed)).folder for seed in days}
    for seed, ago in days.items():
        os.utime(folders[seed], (time.time() - ago * WEEK / 7,) * 2)
    old = trained(1, stage="sdr")
    os.utime(old.folder, (0, 0))
    mine = Checkpoints("pretrain", changed(seed=9))
    mine.load()
    assert len(list(mine.folder.parent.glob("pretrain-*"))) == 6  # who only looks deletes nothing
    mine.save(state(1), 1)
    left = {seed for seed, folder in folders.items() if folder.exists()}
    assert left == {1, 2, 5} and old.folder.exists()


def test_who_goes_on_from_a_folder_keeps_it_from_being_cleaned_up():
    folders = [trained(1, facts=changed(seed=seed)).folder for seed in range(5)]
    for seed, folder in enumerate(folders):
        os.utime(folder, (seed, seed))
    assert loaded(changed(seed=0)) == 1
    trained(1, facts=changed(seed=9))
    assert [folder.exists() for folder in folders] == [True, False, False, True, True]


def test_folders_that_vanish_while_they_are_looked_at_do_no_harm(monkeypatch, capsys):
    """Other trainings of the stage may be running, and end."""
    looked = checkpoint._states

    def vanishing(folder):
        found = looked(folder)
        if folder.name.startswith("pretrain") and folder != mine.folder:
            shutil.rmtree(folder)
        return found

    trained(1, facts=changed(seed=1)), trained(1, facts=changed(seed=2))
    mine = Checkpoints("pretrain", FACTS)
    monkeypatch.setattr(checkpoint, "_states", vanishing)
    assert mine.load() is None
    trained(1, facts=changed(seed=3))
    mine.save(state(1), 1)
    assert steps(mine.folder) == [1] and "differs" not in capsys.readouterr().err


def test_a_folder_deleted_under_a_training_is_made_anew():
    one = trained(10)
    one.remove()
    one.save(state(20), 20)
    assert loaded() == 20 and (one.folder / "facts.json").exists()


def test_fingerprints_change_with_any_part_and_with_the_code(monkeypatch):
    sgd = Sgd(lr=0.1)
    name = fingerprint(a=1, b=sgd)
    assert name == fingerprint(b=sgd, a=1) and len(name) == 16
    assert len({name, fingerprint(a=2, b=sgd), fingerprint(a=1, b=Sgd(lr=0.2)), fingerprint(a=1)}) == 4
    monkeypatch.setattr(checkpoint, "_code", lambda: {"sdr/a.py": "111", "sdr/b.py": "3"})
    assert fingerprint(a=1, b=sgd) != name


def test_the_code_is_all_of_the_package():
    code = ALL_CODE()
    assert {"sdr/base/checkpoint.py", "sdr/train/loop.py", "sdr/nets/supernet.py"} <= code.keys()
    assert len(code) == len(list((ROOT / "sdr").rglob("*.py")))


# what can go wrong with the disk


def test_a_full_disk_loses_nothing(monkeypatch):
    one = trained(10, 20, 30)
    before = files(one.folder)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_):
        raise full

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError) as caught:
        one.save(state(40), 40)
    assert caught.value is full and full.filename == str(one.folder / "step-00000040.ckpt")
    assert files(one.folder) == before and one.last.name == "step-00000030.ckpt"
    monkeypatch.undo()
    one.save(state(40), 40)
    assert steps(one.folder) == [20, 30, 40]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_found_before_the_training(scratch):
    scratch.mkdir()
    scratch.chmod(0o500)
    with pytest.raises(PermissionError, match="scratch"):
        Checkpoints("pretrain", FACTS).load()
    scratch.chmod(0o700)


# After each command of a shell in its arguments it saves steps up to 19 into disk/a, going on from what is there.
MOUNTED = f"""
import os, sys, torch
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from sdr.base.errors import program
from sdr.base.checkpoint import States
@program
def main():
    states = States(Path("disk/a"), "pretrain", "x", keep=9)
    state = states.load()
    print("from", state and state["step"], flush=True)
    for step in range(state["step"] + 1 if state else 1, 20):
        states.save({{"weights": torch.full((20_000,), float(step)), "step": step}}, step)
for command in sys.argv[1:]:
    assert os.system(command) == 0, command
    try:
        main()
    except SystemExit as end:
        print(end.code, flush=True)
    print(sorted(os.listdir("disk/a") if os.path.exists("disk/a") else []), flush=True)
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]  # what is mounted within, nobody else sees


def can_mount() -> bool:
    trial = [*UNSHARE, "sh", "-c", 'mount -t tmpfs none /mnt && "$0" -c ""', sys.executable]
    try:
        return subprocess.run(trial, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_mount(), reason="this system lets nobody mount a file system of their own")
def test_a_really_full_and_a_really_read_only_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    commands = [
        "mount -t tmpfs -o size=300k none disk",
        "mount -o remount,size=2m disk",
        "rm -r disk/a; mount -o remount,ro disk",
    ]
    command = [*UNSHARE, sys.executable, "-c", MOUNTED, *commands]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    names = [f"step-{step:08d}.ckpt" for step in range(20)]
    assert done.stdout.splitlines() == [
        "from None",
        "error: disk/a/step-00000004.ckpt: the disk is full: free some space and run the same command again",
        str(names[1:4]),
        "from 3",
        str(names[11:20]),
        f"error: {tmp_path}/disk: the file system is read-only",
        "[]",
    ]


# what can go wrong with the process

KILLED = f"""
import os, random, signal, sys, time, torch
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from sdr.base.checkpoint import States
random.seed(3)
states = lambda: States(Path("states"), "pretrain", "x", keep=2)
content = lambda step: {{"weights": torch.full((300_000,), float(step)), "step": step}}
reached = in_flight = 0
for trial in range(12):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        for step in range(reached + 1, 10**6):
            states().save(content(step), step)
            os.write(tell, b"%d\\n" % step)
    time.sleep(random.uniform(0.002, 0.08))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(tell)
    saved = os.fdopen(told).read().split()
    in_flight += any(Path("states").glob(".*.partial"))
    before, state = int(saved[-1]) if saved else reached, states().load()
    reached = state["step"] if state else 0
    assert reached in (before, before + 1), (before, reached)  # the name may be there before it could be told
    assert not reached or torch.equal(state["weights"], content(reached)["weights"])
states().save(content(reached + 1), reached + 1)
assert len(list(Path("states").glob("step-*"))) == 2  # whatever the kills kept from being deleted
print(reached, in_flight)
"""


def test_killed_in_the_middle_of_a_save_the_state_before_is_there(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    reached, in_flight = map(int, done.stdout.split())
    assert reached > 0 and in_flight > 0  # some of the kills did hit a save


def test_what_a_killed_save_left_is_deleted_once_nobody_can_be_writing_it(tmp_path):
    states = States(tmp_path, "pretrain", "x")
    old, fresh = (tmp_path / f".step-00000007.ckpt.{pid}.partial" for pid in (1, 2))
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 3600,) * 2)
    assert states.load() is None
    states.save(state(8), 8)
    assert not old.exists() and fresh.exists()
