import pytest

from sdr.base.errors import UserError
from sdr.tasks.lists import read_classes, read_list

PATH = ("path", "labels")


@pytest.fixture
def top(tmp_path):
    """A task's folder with two files; they need not be pictures to be listed."""
    for name in ("img/1.jpg", "img/2, too.jpg"):
        (tmp_path / "birds" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "birds" / name).touch()
    return tmp_path / "birds"


def read(top, text, several=True, classes=None, columns=PATH, name="train.csv"):
    table = top / name
    table.parent.mkdir(exist_ok=True)
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {entry.origin: entry.domain for entry in read_list(table, columns, top, several, classes)}


@pytest.mark.parametrize("head", ["path,labels\n", "", "\ufeffpath,labels\r\n", "\n\n"])
def test_a_line_a_picture_with_or_without_names_of_columns(top, head):
    text = 'img/1.jpg,cat; dog ;cat\n"img/2, too.jpg",\n\n./img/gone.jpg,cat\n'
    assert read(top, head + text) == {
        "birds/img/1.jpg": "cat;dog",
        "birds/img/2, too.jpg": "",
        "birds/img/gone.jpg": "cat",
    }


def test_other_columns_are_ignored_where_the_first_line_names_them(top):
    assert read(top, "id,labels,path\n7,cat,img/1.jpg\n") == {"birds/img/1.jpg": "cat"}


def test_paths_count_from_the_list_and_stay_in_the_task(top):
    rows = "label,file\ncat,1.jpg\ndog,../img/1.jpg\n"
    assert read(top, rows, columns=("file", "label"), name="train/labels.csv") == {
        "birds/train/1.jpg": "cat",
        "birds/img/1.jpg": "dog",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "filename,tags\nimg/1.jpg,cat\n",
            "train.csv:1: no columns path,labels .* nor a picture that exists",
        ),
        ("path;labels\nimg/1.jpg;cat\n", "train.csv:1: no columns"),
        ("img/1.jpg,cat,dog\n", "train.csv:1: no columns"),
        (
            "path,labels\nimg/1.jpg,cat\nimg/2, too.jpg,cat\n",
            "train.csv:3: 3 columns instead of 2; put quotes",
        ),
        ("path,labels\nimg/1.jpg\n", "train.csv:2: 1 columns instead of 2"),
        ("path,labels\nimg/1.jpg,cat\nimg/./1.jpg,dog\n", "train.csv:3: img/./1.jpg is in line 2 already"),
        ("path,labels\n../fish/1.jpg,cat\n", "train.csv:2: `../fish/1.jpg` is no visible path in .*birds;"),
        ("path,labels\n/etc/1.jpg,cat\n", "train.csv:2: `/etc/1.jpg` is no visible path"),
        ("path,labels\nimg/.1.jpg,cat\n", "train.csv:2: `img/.1.jpg` is no visible path"),
        ("path,labels\n,cat\n", "train.csv:2: `` is no visible path"),
        ('path,labels\n"img/1.jpg,cat\n', "train.csv:2: unexpected end of data; correct the line"),
        ("path,labels\nimg/1.jpg,caf\xe9\n".encode("latin-1"), "train.csv: not UTF-8 at byte 25; save it"),
        ("path,labels\nimg/1.jpg,cat\nimg/3.jpg,cow;ant\n", "train.csv:3: class `cow` is not in classes.txt"),
    ],
)
def test_what_is_not_understood_names_file_and_line(top, text, message):
    with pytest.raises(UserError, match=message):
        read(top, text, classes={"cat", "dog"})


@pytest.mark.parametrize(("labels", "count"), [("", 0), (" ; ", 0), ("cat;dog", 2)])
def test_a_task_of_one_label_has_one_a_picture(top, labels, count):
    with pytest.raises(UserError, match=f"train.csv:2: img/1.jpg has {count} labels; give it one, or .* `map`"):
        read(top, f"path,labels\nimg/1.jpg,{labels}\n", several=False)


def test_a_table_in_a_split_names_its_columns(top):
    with pytest.raises(UserError, match="labels.csv:1: no columns file,label in its first line$"):
        read(top, "1.jpg,cat\n", columns=("file", "label"), name="img/labels.csv")


def test_classes(top):
    path = top / "classes.txt"
    assert read_classes(path) is None
    path.write_bytes("\ufeffcat\r\n\r\n two words \r\n".encode())
    assert read_classes(path) == {"cat", "two words"}


@pytest.mark.parametrize(("text", "message"), [("a\nb\na\n", "txt:3: class `a` is listed"), ("a\nb;c", "txt:2: .*`;`")])
def test_classes_that_are_ambiguous(top, text, message):
    (top / "classes.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        read_classes(top / "classes.txt")
