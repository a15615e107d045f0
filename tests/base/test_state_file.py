"""A state is read back as it was written, or not at all, with the reason; never is anything in a file run."""

import errno
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sdr.base import state_file
from sdr.base.state_file import HEADER, NotUsableError, read_state, write_state

STATE = {"weights": OrderedDict(a=torch.arange(12.0).view(3, 4), b=torch.tensor(7)), "step": 3, "lr": [0.1, None]}
WHOSE = ("pretrain", "0123456789abcdef")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "state"
    write_state(path, STATE, *WHOSE, step=3)
    return path.read_bytes()


def reason(path: Path, content: bytes, stage: str = "pretrain", training: str = WHOSE[1]) -> str:
    path.write_bytes(content)
    with pytest.raises(NotUsableError) as caught:
        read_state(path, stage, training)
    return str(caught.value)


def same(one, two) -> bool:
    if isinstance(one, torch.Tensor):
        bits = [t.contiguous().reshape(-1).view(torch.uint8) for t in (one, two)]
        return one.dtype == two.dtype and one.stride() == two.stride() and torch.equal(*bits)
    if isinstance(one, dict):
        return [*one] == [*two] and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and repr(one) == repr(two)


def test_what_was_written_is_read_bit_for_bit(tmp_path):
    base = torch.randn(2, 4, 3, 3)
    state = {
        "weights": {
            "conv": base.contiguous(memory_format=torch.channels_last),
            "view": base[:, 1:3],
            "empty": base[:0],
        },
        "types": [torch.tensor(1 / 3, dtype=t) for t in (torch.float64, torch.bfloat16, torch.float16)],
        "odd": [torch.tensor([float("nan"), -0.0, float("inf")]), torch.tensor([2**62 + 1]), torch.tensor([True])],
        "numbers": [1, 2**70, 1 / 3, float("-inf"), True, None, "é\n", (1, [2, {3: "x"}])],
        "ordered": OrderedDict(z=1, a=2),
        "none": {},
    }
    write_state(tmp_path / "state", state, *WHOSE, step=1)
    assert same(read_state(tmp_path / "state", *WHOSE), state)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_the_first_line_is_for_people(whole):
    line = whole.partition(b"\n")[0]
    assert len(line) == HEADER - 1
    for text in (b'"stage": "pretrain"', b'"step": 3', b'"training": "0123456789abcdef"', b'"version": 1'):
        assert text in line


@pytest.mark.parametrize("size", [0, 1, 20, 33, 34, 200, HEADER - 1, HEADER, HEADER + 1, -1000, -22, -1])
def test_a_truncated_file(whole, tmp_path, size):
    said = reason(tmp_path / "state", whole[:size])
    assert said == "it is empty" if size == 0 else said.startswith("it is truncated")


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7), header=st.booleans())
def test_a_flipped_bit_anywhere(whole, tmp_path, place, bit, header):
    """In the header, too: a wrong step or stage would be as bad as a wrong weight."""
    damaged = bytearray(whole)
    damaged[place % (HEADER if header else len(whole))] ^= 1 << bit
    reason(tmp_path / "state", bytes(damaged))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 10**9), length=st.integers(1, 600), junk=st.binary(max_size=600))
@example(start=0, length=0, junk=b"x")
@example(start=0, length=1, junk=b"")
@example(start=10**9, length=0, junk=b"\0")
def test_a_part_lost_put_in_or_overwritten(whole, tmp_path, start, length, junk):
    start %= len(whole) + 1
    damaged = whole[:start] + junk + whole[start + length :]
    if damaged != whole:
        reason(tmp_path / "state", damaged)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=3000))
@example(b"[" * 3000)
@example(b'{"format": "sdr training state"' + b', "a": ' + b"[" * 3000)
@example(b'{"format": "sdr training state"}'.ljust(3000))
@example(
    b'{"format": "sdr training state", "version": 1, "stage": "pretrain", "training": "0123456789abcdef"}'.ljust(1024)
)
def test_anything_else(tmp_path, content):
    reason(tmp_path / "state", content)


def test_a_file_of_zeros_as_some_file_systems_leave_it(whole, tmp_path):
    assert "not a checkpoint of this program" in reason(tmp_path / "state", bytes(len(whole)))
    assert "damaged" in reason(tmp_path / "state", whole[:HEADER] + bytes(len(whole) - HEADER))


def test_of_another_stage_training_or_version(whole, tmp_path, monkeypatch):
    path = tmp_path / "state"
    assert "of another stage, pretrain" in reason(path, whole, stage="sdr")
    assert "of another training, 0123456789abcdef" in reason(path, whole, training="f" * 16)
    monkeypatch.setattr(state_file, "VERSION", 2)
    write_state(path, STATE, *WHOSE, step=3)
    monkeypatch.undo()
    assert "of version 2 of the format, this program reads 1" in reason(path, path.read_bytes())


def test_a_plain_torch_file(tmp_path):
    torch.save(STATE, tmp_path / "other.pt")
    assert "not a checkpoint of this program" in reason(tmp_path / "state", (tmp_path / "other.pt").read_bytes())


class Evil:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", ["torch", "pickle"])
def test_code_in_a_file_is_not_run_even_if_the_file_is_well_formed(tmp_path, monkeypatch, save):
    path, victim = tmp_path / "state", tmp_path / "victim"
    pickle.loads(pickle.dumps(Evil(victim)))
    assert victim.is_dir()  # so does code run
    victim.rmdir()
    torch_save = torch.save
    write = {"torch": torch_save, "pickle": lambda state, file: file.write(pickle.dumps(state["evil"], 2))}[save]
    monkeypatch.setattr(torch, "save", lambda state, file: write(state | {"evil": Evil(victim)}, file))
    write_state(path, STATE, *WHOSE, step=3)
    monkeypatch.undo()
    assert "something else than plain data" in reason(path, path.read_bytes())
    assert not victim.exists()


def test_what_could_not_be_read_is_not_written(tmp_path):
    """Written without complaint it would be found out when it is needed."""
    for value in (np.float64(1), np.arange(3), Path("x"), {1, 2}, torch.float32):
        with pytest.raises(TypeError, match=r"state\['a'\]\[0\] is a "):
            write_state(tmp_path / "state", {"a": [value]}, *WHOSE, step=3)
    assert not any(tmp_path.iterdir())


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def sync(descriptor):
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        calls.append((kind, os.fstat(descriptor).st_size if kind == "file" else None))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("rename") or replace(*paths))
    write_state(tmp_path / "state", STATE, *WHOSE, step=3)
    assert calls == [("file", (tmp_path / "state").stat().st_size), "rename", ("folder", None)]


class Failing:
    """A file that fails with `error` at byte `at`."""

    def __init__(self, path: Path, at: int, error: BaseException):
        self.file, self.at, self.error, self.name = open(path, "wb"), at, error, str(path)

    def write(self, data) -> int:
        if self.file.tell() + len(data) > self.at:
            raise self.error
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


@pytest.mark.parametrize("at", [0, HEADER, HEADER + 1, HEADER + 300, HEADER + 2000, HEADER + 4000])
@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_a_failed_write_says_why_and_leaves_all_as_it_was(whole, tmp_path, monkeypatch, at, kind):
    """torch.save answers an error in a write with another one, of its own, which would hide the disk's."""
    error = kind(errno.ENOSPC, os.strerror(errno.ENOSPC))
    path = tmp_path / "state"
    path.write_bytes(whole)
    with monkeypatch.context() as patch, pytest.raises(kind) as caught:
        patch.setattr(Path, "open", lambda self, mode: Failing(self, at, error))
        big = {f"w{i}": torch.zeros(1000) for i in range(9)}
        write_state(path, big, *WHOSE, step=3)
    assert caught.value is error
    assert path.read_bytes() == whole and [file.name for file in tmp_path.iterdir()] == ["state"]
    assert kind is not OSError or error.filename == str(path)


def test_a_sector_that_cannot_be_read_is_damage_a_missing_permission_is_not(whole, tmp_path, monkeypatch):
    (tmp_path / "state").write_bytes(whole)

    def broken(number):
        def digest(*_):
            raise OSError(number, os.strerror(number))

        return digest

    monkeypatch.setattr(state_file.hashlib, "file_digest", broken(errno.EIO))
    with pytest.raises(NotUsableError, match="input/output"):
        read_state(tmp_path / "state", *WHOSE)
    monkeypatch.setattr(state_file.hashlib, "file_digest", broken(errno.EACCES))
    with pytest.raises(PermissionError):
        read_state(tmp_path / "state", *WHOSE)
