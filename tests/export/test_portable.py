"""What is written runs elsewhere and computes what the backbone does, at any number of images."""

import copy
import logging
import warnings

import pytest
import torch

from sdr.base.errors import UserError
from sdr.export import portable
from sdr.export.portable import write_onnx, write_program
from tests.export.toys import SIZE, SPECS, backbone

BATCHES = (1, 3)


def images(n: int) -> torch.Tensor:
    return torch.randn(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(n))


@pytest.fixture(params=SPECS)
def network(request):
    return backbone(request.param)


def test_a_program_computes_the_same(network, tmp_path):
    write_program(network, SIZE, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()
    for n in BATCHES:
        x = images(n)
        with torch.no_grad():
            ours, theirs = network(x), program(x)
        assert theirs.shape == (n, network.num_features) and theirs.dtype == torch.float32
        assert (ours - theirs).abs().max() < 1e-5


def test_onnx_computes_the_same(network, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    write_onnx(network, SIZE, tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    pytest.importorskip("onnx").checker.check_model(tmp_path / "model.onnx", full_check=True)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(float)", ["batch", 3, SIZE, SIZE])
    d = network.num_features
    assert (made.name, made.type, made.shape) == ("features", "tensor(float)", ["batch", d])
    for n in BATCHES:
        with torch.no_grad():
            ours = network(images(n))
        (theirs,) = session.run(["features"], {"images": images(n).numpy()})
        assert (ours - torch.from_numpy(theirs)).abs().max() < 1e-5


def written(network, tmp_path, caplog) -> bytes:
    """Write a program, and ONNX where that is installed, with warnings as errors; return all bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_program(network, SIZE, tmp_path / "model.pt2")
        if all(map(portable.find_spec, ("onnx", "onnxscript"))):
            write_onnx(network, SIZE, tmp_path / "model.onnx")
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    return b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_it_is_quiet_and_tells_nothing_of_this_machine(tmp_path, capfd, caplog):
    content = written(backbone("basic"), tmp_path, caplog)
    assert capfd.readouterr() == ("", "")
    assert b".py" not in content


def test_the_backbone_stays_as_it_is_and_its_mode_and_precision_do_not_matter(tmp_path):
    network = backbone("basic")
    other = copy.deepcopy(network).to(torch.float64, memory_format=torch.channels_last).train()
    before = copy.deepcopy(other.state_dict())
    write_program(other, SIZE, tmp_path / "model.pt2")
    assert other.training and all(p.dtype == torch.float64 for p in other.parameters())
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())
    with torch.no_grad():
        theirs = torch.export.load(tmp_path / "model.pt2").module()(images(3))
        assert (network(images(3)) - theirs).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"onnx"}, "onnx not installed: `pip install onnx onnxscript`"),
        ({"onnxscript"}, "onnxscript not installed: `pip install onnx onnxscript`"),
        ({"onnx", "onnxscript"}, "onnx and onnxscript not installed: `pip install onnx onnxscript`"),
    ],
)
def test_what_onnx_needs_is_named(monkeypatch, tmp_path, missing, says):
    monkeypatch.setattr(portable, "find_spec", lambda name: None if name in missing else object())
    with pytest.raises(UserError) as error:
        write_onnx(backbone("basic"), SIZE, tmp_path / "model.onnx")
    assert str(error.value) == says and not list(tmp_path.iterdir())
