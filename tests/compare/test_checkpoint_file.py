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

STATE = {"conv1.weight": torch.arange(6.0).view(2, 3, 1, 1)}


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


@pytest.mark.parametrize("entry", ["state_dict", "model", "model_state_dict", "net", "nested.deep", None])
def test_the_only_network_is_found_wherever_it_is(tmp_path, entry):
    """Heads and the optimizer's own tensors are none."""
    content = {"head": {"fc.weight": torch.zeros(1, 2)}, "opt": {"state": {0: {"exp_avg": torch.zeros(2, 3, 1, 1)}}}}
    inner = STATE
    for key in reversed(entry.split(".")) if entry else ():
        inner = {key: inner}
    state, beside = state_dict(inner | content, tmp_path)
    assert list(state) == list(STATE) and beside == ["head", "opt"]


def test_of_several_networks_one_is_chosen_by_name(tmp_path):
    ema = {key: value + 1 for key, value in STATE.items()}
    content = {"epoch": 3, "state_dict": STATE, "state_dict_ema": ema, "dino": {"teacher": ema}}
    with pytest.raises(UserError, match="several .*: state_dict, state_dict_ema, dino.teacher; .*`entry: state_dict`"):
        state_dict(content, tmp_path)
    for entry, expected in [("state_dict", STATE), ("state_dict_ema", ema), ("dino.teacher", ema)]:
        state, beside = state_dict(content, tmp_path, entry)
        assert torch.equal(state["conv1.weight"], expected["conv1.weight"])
        assert beside == [key for key in content if key != entry.split(".")[0]]
    for wrong in ("ema", "epoch", "dino", "state_dict.conv1.weight", ""):
        with pytest.raises(UserError, match="no entry .*; it holds state_dict, state_dict_ema, dino.teacher"):
            state_dict(content, tmp_path, wrong)


@pytest.mark.parametrize("content", [{"lr": 0.1, "epoch": 3}, [torch.zeros(2)], {}, torch.zeros(2, 2, 1, 1), None])
def test_no_network_in_it(tmp_path, content):
    with pytest.raises(UserError, match="no network in it"):
        state_dict(content, tmp_path)


@pytest.mark.parametrize("key", [1, (1, 2), b"x", None, True])
def test_names_that_are_no_text(tmp_path, key):
    torch.save({"state_dict": {key: torch.zeros(1)} | STATE}, tmp_path / "file")
    with pytest.raises(UserError, match=f"names of tensors are text; `state_dict` has the {type(key).__name__} "):
        state_dict(read(tmp_path / "file"), tmp_path)


def test_safetensors_by_any_name(tmp_path):
    for name in ("pytorch_model.bin", "file.pth", "file"):
        save_file(STATE, tmp_path / name)
        assert torch.equal(read(tmp_path / name)["conv1.weight"], STATE["conv1.weight"])


def test_a_torchscript_archive_is_named_and_not_run(tmp_path):
    torch.jit.script(torch.nn.ReLU()).save(str(tmp_path / "file.pt"))
    with pytest.raises(UserError, match="file.pt: a TorchScript archive, .* nothing in a file is ever run here"):
        read(tmp_path / "file.pt")


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
