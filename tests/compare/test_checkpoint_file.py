"""Files of other people are data: what is more than that is refused and never run."""

import argparse
import hashlib
import os
import pickle
import re
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from sdr.base.errors import UserError
from sdr.compare.checkpoint_file import find, read, sha256, state_dict

STATE = {"conv1.weight": torch.arange(6.0).view(2, 3)}


class Evil:
    """What unpickles to the call `os.mkdir(path)`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class EvilState:
    """What runs code from the state that is set on it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return argparse.Namespace, (), {"a": Evil(self.path)}


def written(content, path, how):
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    return path


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("evil", [Evil, EvilState])
def test_code_is_refused_and_not_run(tmp_path, how, evil):
    trace = tmp_path / "trace"
    path = written({"state_dict": STATE, "opt": evil(trace)}, tmp_path / "file.pth", how)
    with pytest.raises(UserError, match=re.escape(f"{path}: ") + ".*[Nn]othing in a file is ever run here") as error:
        read(path)
    assert "\n" not in str(error.value)
    assert not trace.exists()
    torch.load(path, weights_only=False) if how != "pickle" else pickle.loads(path.read_bytes())
    assert trace.exists()  # so it would have run


def test_the_message_names_the_code(tmp_path):
    path = written({"state_dict": STATE, "opt": Evil(tmp_path / "trace")}, tmp_path / "file.pth", "zip")
    with pytest.raises(UserError, match=r"it holds more than data: \w+\.mkdir\. Nothing"):
        read(path)


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_options_are_data(tmp_path, how):
    """PyContrast and others put their `argparse.Namespace` into the file."""
    options = argparse.Namespace(lr=0.03, gpu=None, layers=[1, 2], inner=argparse.Namespace(a="b"))
    path = written({"opt": options, "model": STATE, "epoch": 200}, tmp_path / "file.pth", how)
    content = read(path)
    assert content["opt"] == options
    state, beside = state_dict(content, path)
    assert torch.equal(state["conv1.weight"], STATE["conv1.weight"])
    assert beside == ["opt", "epoch"]


def test_the_leave_for_options_ends_with_the_call(tmp_path):
    path = written({"opt": argparse.Namespace()}, tmp_path / "file.pth", "zip")
    read(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("entry", ["state_dict", "model", "resnet", None])
def test_the_network_is_found_where_programs_put_it(tmp_path, entry):
    content = {entry: STATE, "head": {"fc.weight": torch.zeros(1)}} if entry else STATE
    state, beside = state_dict(content, tmp_path)
    assert list(state) == list(STATE) and beside == (["head"] if entry else [])


@pytest.mark.parametrize("content", [{"net": STATE, "epoch": 3}, [torch.zeros(2)], {}])
def test_no_network_in_it(tmp_path, content):
    with pytest.raises(UserError, match="no network in it, neither at the top nor as state_dict, model, resnet"):
        state_dict(content, tmp_path)


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "file.safetensors")
    assert torch.equal(read(tmp_path / "file.safetensors")["conv1.weight"], STATE["conv1.weight"])


@pytest.mark.parametrize("name", ["file.pth", "file.safetensors"])
def test_whatever_is_wrong_with_a_file_is_one_message(tmp_path, name):
    path = tmp_path / name
    written(STATE, path, "zip") if name.endswith("pth") else save_file(STATE, path)
    good = path.read_bytes()
    rubbish = [
        good[: len(good) // 2],
        good[:3],
        b"",
        b"<html>not found</html>",
        b"\x80\x02.",
        bytes(range(256)),
    ]
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("readme", "no pickle")
    for content in [*rubbish, (tmp_path / "zip").read_bytes()]:
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_where_files_lie(tmp_path, monkeypatch):
    monkeypatch.delenv("SDR_CHECKPOINTS", raising=False)
    with pytest.raises(UserError, match="SDR_CHECKPOINTS is not set; .* where moco.pth lies"):
        find("moco.pth")
    monkeypatch.setenv("SDR_CHECKPOINTS", "checkpoints")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "checkpoints/moco.pth").mkdir(parents=True)
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}/checkpoints/moco.pth: no such file")):
        find("moco.pth")
    (tmp_path / "checkpoints/b.pth").write_bytes(b"b")
    assert find("b.pth") == tmp_path / "checkpoints/b.pth"


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    digest = hashlib.sha256(b"abc").hexdigest()
    assert sha256(tmp_path / "a") == sha256(tmp_path / "a", digest) == digest
    with pytest.raises(UserError, match=f"its sha256 is {digest}, not {'0' * 64}"):
        sha256(tmp_path / "a", "0" * 64)
