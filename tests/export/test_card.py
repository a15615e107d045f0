"""The card says what is known, nothing else, and what it tells readers to run runs."""

import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from sdr.export.card import Card, Score, model_card
from sdr.export.portable import write_onnx, write_program
from tests.export.toys import SIZE, exported

BARE = Card(
    name="digits",
    network="subnet",
    block="basic",
    layers=(1, 2, 1, 1),
    widths=(8, 12, 16, 20),
    n_features=20,
    size=SIZE,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    interpolation="bicubic",
    onnx=False,
    program=False,
)
FULL = replace(
    BARE,
    onnx=True,
    program=True,
    stem="deep",
    n_parameters=1_234_567,
    subnet=3,
    n_subnets=17,
    path="0-0-1-2",
    statistics="cluster 7",
    task="numbers",
    corpus="pictures of mine",
    corpus_images=11231,
    corpus_fingerprint="007dc6cf",
    cluster_images=7130,
    samples=("first.png", "second one.png"),
    scores=(Score("numbers", "linear, top-1", 79.74, (76.31, 82.76)), Score("letters", "kNN", 65.18)),
    parameters={"seed": 0, "backbone": {"layers": [1, 2], "stem": ""}},
    command="dvc repro route@numbers",
    versions={"torch": "2.11.0", "timm": "1.0.20"},
)
ALL = (
    "3, of 0 to 16",
    "0-0-1-2",
    "numbers",
    "basic blocks",
    "1, 2, 1, 1",
    "8, 12, 16, 20",
    "deep",
    "1,234,567",
    "20 features",
    "64 × 64",
    "0.485, 0.456, 0.406",
    "0.229, 0.224, 0.225",
    "bicubic",
    "pictures of mine",
    "11,231",
    "007dc6cf",
    "7,130",
    "(samples/first.png)",
    "(samples/second%20one.png)",
    "| numbers | linear, top-1 | 79.7 | 76.3 to 82.8 |",
    "| letters | kNN | 65.2 |",
    "of cluster 7",
    "dvc repro route@numbers",
    "torch 2.11.0, timm 1.0.20",
    "model.onnx",
    "model.pt2",
)


def blocks(card: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", card, re.DOTALL | re.MULTILINE)


def prose(card: str) -> str:
    """The card without its blocks of code."""
    return re.sub(r"^(```+)\w+\n.*?\n\1$", "", card, flags=re.DOTALL | re.MULTILINE)


def test_the_hub_reads_its_front_matter():
    front = yaml.safe_load(model_card(FULL).split("---\n")[1])
    assert front["library_name"] == "timm" and front["pipeline_tag"] == "image-feature-extraction"
    assert {"image-feature-extraction", "self-supervised"} <= set(front["tags"])
    assert ModelCard(model_card(FULL)).data.to_dict() == front


def test_all_that_is_known_is_said():
    card = model_card(FULL)
    assert [fact for fact in ALL if fact not in card] == []
    assert yaml.safe_load(blocks(card, "yaml")[0]) == FULL.parameters
    assert "Licence: not stated. Whoever publishes these weights chooses it" in card


def test_the_three_kinds_of_network_differ():
    cards = [model_card(replace(BARE, network=network)) for network in ("subnet", "w0", "baseline")]
    assert len(set(cards)) == 3


def test_what_is_not_known_is_left_out():
    card = model_card(BARE)
    assert "None" not in card and "\n\n\n" not in card
    titles = re.findall("^## (.*)$", card, re.MULTILINE)
    assert titles == ["Network", "How to use it", "Licence"]
    rows = {line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ")} - {"|"}
    always = "---|architecture|blocks a stage|planes a stage|features|input|mean|standard deviation"
    assert rows == {f"| {row}" for row in always.split("|")}
    assert "onnx" not in card and "pt2" not in card and "trained on" not in card


NOT_ALWAYS_KNOWN = [name for name in Card.__dataclass_fields__ if getattr(BARE, name) != getattr(FULL, name)]


@pytest.mark.parametrize("name", NOT_ALWAYS_KNOWN)
def test_each_fact_can_be_missing(name):
    card = model_card(replace(FULL, **{name: getattr(BARE, name)}))
    assert "None" not in prose(card) and "\n\n\n" not in card and card != model_card(FULL)


def test_it_is_the_same_each_time():
    assert model_card(FULL) == model_card(replace(FULL))
    assert model_card(FULL).endswith("docs/data.md.\n")


NASTY = "a|b *c* _d_ `e` [f](g) <script>h</script> &amp; $i$ ~~j~~ \\ k #\n---\n# l\r| m ```"


def test_special_characters_in_names_are_harmless():
    """Neither tables nor headings nor HTML come from names; a reader of Markdown sees the name as it was."""
    samples = ("a b)(c].png", "../../x.png", "|.png")
    card = model_card(
        replace(
            FULL,
            name=NASTY,
            task=NASTY,
            corpus=NASTY,
            samples=samples,
            scores=(Score(NASTY, NASTY, 1.0),),
            versions={NASTY: NASTY},
        )
    )
    plain = model_card(replace(FULL, samples=samples, scores=FULL.scores[:1]))
    assert re.findall("^#+ ", card, re.MULTILINE) == re.findall("^#+ ", plain, re.MULTILINE)
    assert card.count("\n") == plain.count("\n") and card.count("\n---\n") == 1
    assert not re.search(r"(?<!\\)[<&$~]", prose(card))
    for line, other in zip(card.splitlines(), plain.splitlines()):
        assert len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"(?<!\\)\|", other)), line
    title = next(line for line in card.splitlines() if line.startswith("# "))[2:]
    assert re.sub(r"\\(.)", r"\1", title) == " ".join(NASTY.split())
    assert re.findall(r"\(samples/(.*?)\)", card) == ["a%20b%29%28c%5D.png", "..%2F..%2Fx.png", "%7C.png"]


def test_code_cannot_end_its_block():
    text = "true '```' \n````\n# no heading"
    card = model_card(replace(FULL, command=text, parameters={"note": text}))
    assert f"\n`````sh\n{text}\n`````\n" in card


def test_parameters_that_are_no_plain_values_are_refused():
    with pytest.raises(yaml.representer.RepresenterError):
        model_card(replace(FULL, parameters={"where": object()}))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The exported folder with a square picture, as the current one."""
    network = exported("basic", tmp_path)
    write_program(network, SIZE, tmp_path / "model.pt2")
    pixels = np.random.default_rng(0).integers(80, 176, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    return network


def test_its_snippets_run(folder, capsys):
    snippets = blocks(model_card(replace(FULL, onnx=False)), "python")
    found = [{} for _ in snippets]
    for snippet, names in zip(snippets, found):
        exec(snippet, names)
    pooled, pyramid, program = found
    assert pooled["features"].shape == program["features"].shape == (1, folder.num_features)
    assert [x.shape[1] for x in pyramid["maps"]][1:] == [8, 12, 16, 20]
    assert "((1, 20, 2, 2), 32)" in capsys.readouterr().out


def test_its_onnx_snippet_gives_the_features_of_its_timm_snippet(folder, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    write_onnx(folder, SIZE, tmp_path / "model.onnx")
    timm_snippet, _, onnx_snippet, _ = blocks(model_card(FULL), "python")
    exec(timm_snippet, ours := {})
    exec(onnx_snippet, theirs := {})
    assert theirs["features"].dtype == np.float32
    np.testing.assert_allclose(theirs["features"], ours["features"], rtol=0, atol=1e-5)
