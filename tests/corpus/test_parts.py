"""Parts of a corpus: the table of classes, its rows, and errors that say where."""

import numpy as np
import pytest

from sdr.base.errors import UserError
from sdr.corpus.parts import Part, part_rows, read_split

CLASSES = ["maps", "icons", "maps", "digits", "icons", "maps"]


def table(path, text: str):
    file = path / "split.csv"
    file.write_text(text)
    return file


def test_parts_are_disjoint_and_make_the_whole(tmp_path):
    split = table(tmp_path, "class,part,why\nmaps,A,land\nicons,B,\ndigits,B,\nunused,A,\n")
    a, b = (part_rows(CLASSES, split, part) for part in ("A", "B"))
    assert a.tolist() == [0, 2, 5] and b.tolist() == [1, 3, 4]
    assert part_rows(CLASSES, "no such file", "all").tolist() == list(range(6))


def test_a_part_reads_its_own_images():
    whole = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)

    class Whole:
        def __len__(self):
            return 6

        def read(self, indices):
            return whole[indices]

    part = Part(Whole(), np.array([1, 3, 4]))
    assert len(part) == 3
    assert part.read(np.array([2, 0, 2])).ravel().tolist() == [4, 1, 4]


@pytest.mark.parametrize(
    "text, message",
    [
        ("class,part\nmaps,A\n", "no row for 2 of the corpus' 3 classes, such as 'digits'"),
        ("class,part\nmaps,A\nicons,A\ndigits,A\n", "no image of the corpus is of a class of part B"),
        ("class,part\nmaps,C\n", "line 2: part is 'C'"),
        ("class,part\nmaps,A\nmaps,B\n", "line 3: class 'maps' stands there twice"),
        ("name,half\nmaps,A\n", "needs the columns class and part"),
        ("", "needs the columns"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        part_rows(CLASSES, table(tmp_path, text), "B")


def test_no_table():
    with pytest.raises(UserError, match="nowhere.csv: cannot be read"):
        read_split("nowhere.csv")


def test_the_built_in_corpus_has_two_parts():
    assert set(read_split("splits/builtin.csv").values()) == {"A", "B"}
