import sys
from pathlib import Path

import pandas as pd
import pytest
from timm.data import ImageNetInfo

from sdr.base.errors import UserError
from tools import wordnet_split
from tools.wordnet_split import at_depth, components, read_nouns, split

TABLE = Path(__file__).parents[2] / "splits" / "imagenet.csv"
# A chain to depth three; at depth four artifact, food, living_thing. Organism has its real offset.
TOP = {1: ["entity"], 2: ["physical_entity", 1], 3: ["object", 2], 4: ["whole", 3]}
TREE = TOP | {5: ["artifact", 4], 6: ["food", 4], 7: ["living_thing", 4], 4475: ["organism", 7]}


def name(offset: int) -> str:
    return f"n{offset:08d}"


def folder(tmp_path: Path, synsets: dict[int, list], instances: tuple[int, ...] = ()) -> Path:
    """Write data.noun: by offset, a lemma and its hypernyms' offsets; those of `instances` are instances."""
    lines = ["  1 This line is of the license | @ 00000001 n 0000  "]
    for offset, (lemma, *hypernyms) in synsets.items():
        symbol = "@i" if offset in instances else "@"
        pointers = [f"{symbol} {hypernym:08d} n 0000" for hypernym in hypernyms]
        pointers.append("~ 99999999 n 0000")  # a hyponym: of no concern here
        fields = f"{offset:08d} 03 n 02 {lemma} 0 synonym 0 {len(pointers):03d} {' '.join(pointers)}"
        lines.append(f"{fields} | a gloss | with @ 00000001 n 0000  ")
    (tmp_path / "data.noun").write_text("\n".join(lines) + "\n")
    return tmp_path


def parts(tmp_path: Path, synsets: dict[int, list], *classes: int, **kwargs) -> dict[str, str]:
    rows = split(read_nouns(folder(tmp_path, synsets, **kwargs)), [name(offset) for offset in classes])
    return {row["name"]: row["part"] for row in rows}


def test_organisms_are_b_and_others_a(tmp_path):
    nouns = read_nouns(folder(tmp_path, TREE | {20: ["tea_table", 5], 21: ["cat", 4475]}))
    assert split(nouns, [name(21), name(20)]) == [
        {"class": name(20), "part": "A", "ancestor": f"{name(5)} artifact", "name": "tea table"},
        {"class": name(21), "part": "B", "ancestor": f"{name(7)} living thing", "name": "cat"},
    ]


def test_a_synset_with_many_lemmas_is_read(tmp_path):
    lemmas = " ".join(f"word{index} 0" for index in range(17))  # 11 in hexadecimal
    (tmp_path / "data.noun").write_text(f"00000020 03 n 11 {lemmas} 001 @ 00000005 n 0000 | a gloss\n")
    assert read_nouns(tmp_path)[name(20)].hypernyms == (name(5),)


def test_an_ancestor_counts_at_every_depth_it_has(tmp_path):
    """Food lies at depth four by one path and at five by another; so does bread under it, at five and six."""
    nouns = read_nouns(folder(tmp_path, TREE | {6: ["food", 4, 5], 20: ["bread", 6]}))
    assert at_depth(nouns, 4) == {name(5), name(6), name(7)}
    assert at_depth(nouns, 5) == {name(6), name(4475), name(20)}


def test_the_first_of_several_ancestors_is_named(tmp_path):
    nouns = read_nouns(folder(tmp_path, TREE | {20: ["plate", 6, 5]}))
    assert split(nouns, [name(20)])[0]["ancestor"] == f"{name(5)} artifact"


def test_an_instance_has_the_ancestors_of_its_class(tmp_path):
    synsets = TREE | {20: ["bear", 4475], 21: ["Knut", 20]}
    assert parts(tmp_path, synsets, 21, instances=(21,)) == {"Knut": "B"}


def test_a_class_at_depth_four_is_its_own_ancestor(tmp_path):
    assert parts(tmp_path, TREE, 5, 4475) == {"artifact": "A", "organism": "B"}


def test_components_join_through_other_classes():
    found = components({"a": {"1"}, "b": {"2"}, "c": {"3"}, "d": {"1", "2"}, "e": {"3"}})
    assert sorted(sorted(component) for component in found) == [["a", "b", "d"], ["c", "e"]]


def test_a_class_with_two_ancestors_links_their_classes_into_one_part(tmp_path):
    synsets = TREE | {20: ["table", 5], 21: ["cat", 4475], 22: ["bread", 6], 23: ["bread_board", 5, 6]}
    assert parts(tmp_path, synsets, 20, 21, 22, 23) == {
        "table": "A",
        "cat": "B",
        "bread": "A",
        "bread board": "A",
    }


def test_a_component_of_organisms_and_others_is_refused(tmp_path):
    synsets = TREE | {20: ["oyster", 4475, 6], 21: ["bread", 6]}
    with pytest.raises(UserError, match=r"n00000020 \(oyster\) is an organism, n00000021 \(bread\) is not"):
        parts(tmp_path, synsets, 20, 21)


def test_a_class_above_depth_four_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"n00000004 \(whole\) lies above depth 4"):
        parts(tmp_path, TREE, 5, 4)


def test_a_class_that_wordnet_lacks_is_refused(tmp_path):
    with pytest.raises(UserError, match="no synset n00000066.*WordNet 3.0"):
        parts(tmp_path, TREE, 5, 66)


def test_a_truncated_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="no synset n00000008, which n00000020 needs"):
        parts(tmp_path, TREE | {20: ["table", 5, 8]}, 20)


@pytest.mark.parametrize("line", ["", "words", "00000020 03 v 01 run 0 000 | a verb", "00000020 03 n 01 cat 0 002 @ 1"])
def test_a_line_that_is_no_noun_is_refused(tmp_path, line):
    (tmp_path / "data.noun").write_text(f"  1 license\n{line}\n")
    with pytest.raises(UserError, match="data.noun: line 2 is not a noun"):
        read_nouns(tmp_path)


@pytest.mark.parametrize("argument", ["nowhere", "file"])
def test_a_missing_file_is_one_message(tmp_path, monkeypatch, argument):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["wordnet_split", str(tmp_path / argument), "--out", str(tmp_path / "out.csv")])
    with pytest.raises(SystemExit, match="^error: .*data.noun: no such file") as end:
        wordnet_split.main()
    assert "\n" not in str(end.value)
    assert not (tmp_path / "out.csv").exists()


def test_the_committed_table_has_every_class_once_in_order():
    table = pd.read_csv(TABLE)
    assert list(table.columns) == ["class", "part", "ancestor", "name"]
    assert list(table["class"]) == sorted(ImageNetInfo("imagenet-1k").label_names())
    assert table["class"].is_unique and len(table) == 1000
    assert not table.isna().any(axis=None)


def test_the_parts_of_the_committed_table_share_no_ancestor():
    table = pd.read_csv(TABLE)
    assert table["part"].value_counts().to_dict() == {"A": 590, "B": 410}
    ancestors = table.groupby("part")["ancestor"].unique()
    assert not set(ancestors["A"]) & set(ancestors["B"])


@pytest.mark.parametrize(
    ("wnid", "part"),
    [
        ("n02123045", "B"),  # tabby
        ("n11939491", "B"),  # daisy
        ("n13054560", "B"),  # bolete
        ("n10148035", "B"),  # groom
        ("n02690373", "A"),  # airliner
        ("n07747607", "A"),  # orange
        ("n07734744", "A"),  # mushroom, the food
        ("n09256479", "A"),  # coral reef
    ],
)
def test_some_classes_of_the_committed_table(wnid, part):
    assert pd.read_csv(TABLE).set_index("class").loc[wnid, "part"] == part
