import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.corpus import records
from sdr.corpus.records import Records, write_records

COLUMNS = {"domain": "string", "bytes": "int64", "content": "binary"}
ROWS = st.lists(st.tuples(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40)), max_size=60)


def _rows(n, longest=3000):
    """Rows of differing lengths, the same every time; a content begins with its number."""
    lengths = np.random.default_rng(0).integers(8, longest, n).tolist()
    return (
        (f"d{i % 7}", i, i.to_bytes(8, "big") + bytes([i % 251]) * (length - 8)) for i, length in enumerate(lengths)
    )


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(records, "BATCH_BYTES", 4000)
    monkeypatch.setattr(records, "BATCH_ROWS", 7)


@given(ROWS, st.integers(1, 9), st.integers(1, 100))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_what_is_read(tmp_path_factory, rows, batch_rows, batch_bytes):
    path = tmp_path_factory.mktemp("records") / "a.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BATCH_ROWS", batch_rows)
        patch.setattr(records, "BATCH_BYTES", batch_bytes)
        assert write_records(path, COLUMNS, iter(rows)) == len(rows)
    read = Records(path)
    assert len(read) == len(rows) and read.columns == list(COLUMNS)
    assert list(read.column("domain")) == [row[0] for row in rows]
    assert list(read.column("bytes")) == [row[1] for row in rows]
    for index in np.random.default_rng(0).permutation(len(rows)):
        found = read.value("domain", index), read.value("bytes", index), read.content(index)
        assert found == rows[index]


def test_another_reader_of_the_format_finds_the_same(tmp_path, small_batches):
    write_records(tmp_path / "a.arrow", COLUMNS, _rows(50))
    table = pa.ipc.open_file(str(tmp_path / "a.arrow")).read_all()
    assert table.schema.names == list(COLUMNS)
    assert list(zip(*(table.column(name).to_pylist() for name in COLUMNS))) == list(_rows(50))


def test_without_content(tmp_path):
    write_records(tmp_path / "a.arrow", {"origin": "string"}, [("ä",), ("b",)])
    read = Records(tmp_path / "a.arrow")
    assert list(read.column("origin")) == ["ä", "b"] and read.value("origin", 1) == "b"


def test_an_index_beyond_the_end_is_an_error(tmp_path):
    write_records(tmp_path / "a.arrow", COLUMNS, _rows(5))
    read = Records(tmp_path / "a.arrow")
    with pytest.raises(IndexError):
        read.content(5)
    with pytest.raises(IndexError):
        read.value("domain", 5)


def test_the_same_rows_give_the_same_bits_and_nothing_pickled(tmp_path, small_batches):
    for name in "ab":
        write_records(tmp_path / f"{name}.arrow", COLUMNS, _rows(50))
    first, second = ((tmp_path / f"{name}.arrow").read_bytes() for name in "ab")
    assert first == second
    assert b"pickle" not in first and pickle.PROTO + bytes([pickle.DEFAULT_PROTOCOL]) + pickle.FRAME not in first


def test_an_interrupted_write_leaves_nothing(tmp_path, small_batches):
    def rows():
        yield from _rows(50)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "a.arrow", COLUMNS, rows())
    assert list(tmp_path.iterdir()) == []
    write_records(tmp_path / "a.arrow", COLUMNS, _rows(3))
    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "a.arrow", COLUMNS, rows())
    assert len(Records(tmp_path / "a.arrow")) == 3  # what was there stays


@pytest.mark.parametrize("keep", [0, 1, 7, 100, 0.5, 0.99, -1])
def test_a_file_that_is_cut_short_is_named(tmp_path, small_batches, keep):
    path = tmp_path / "a.arrow"
    write_records(path, COLUMNS, _rows(50))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(UserError, match=r"a\.arrow: cut short or not a file of records .*; run `dvc repro") as error:
        Records(path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content", [b"domain,bytes\na,1\n" * 50, b"ARROW1\0\0" + b"x" * 500 + b"ARROW1", b"\x89PNG\r\n"]
)
def test_a_foreign_file_is_named(tmp_path, content):
    (tmp_path / "a.arrow").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.arrow: cut short or not a file of records"):
        Records(tmp_path / "a.arrow")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.arrow"
    write_records(path, {"content": "binary"}, [(b"x" * 8,)] * 3)
    whole, ends = path.read_bytes(), np.array([0, 8, 16, 24], np.int32)
    assert whole.count(ends.tobytes()) == 1
    path.write_bytes(whole.replace(ends.tobytes(), (ends * 1000).tobytes()))
    with pytest.raises(UserError, match="not a file of records"):
        Records(path)


def test_a_foreign_column_of_that_name_is_named(tmp_path):
    table = pa.table({"content": [1, 2]})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match="not a file of records"):
        Records(tmp_path / "a.arrow")


def test_a_file_cut_short_while_in_use_is_an_error_and_no_crash(tmp_path):
    path = tmp_path / "a.arrow"
    write_records(path, COLUMNS, _rows(3000))
    read = Records(path)
    os.truncate(path, 4096)
    with pytest.raises(UserError, match="was cut short while it was in use"):
        read.content(2999)


def _digest(read: Records) -> str:
    """Of all contents, in an order of its own."""
    whole = hashlib.sha256()
    for index in np.random.default_rng(5).permutation(len(read)):
        whole.update(read.content(index) + read.value("domain", index).encode())
    return whole.hexdigest()


def test_threads_read_the_same_object(tmp_path, small_batches):
    write_records(tmp_path / "a.arrow", COLUMNS, _rows(400))
    read = Records(tmp_path / "a.arrow")
    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(_digest, read) for _ in range(24)]} == {_digest(read)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_read_the_same_file(tmp_path, small_batches, method):
    write_records(tmp_path / "a.arrow", COLUMNS, _rows(400))
    read = Records(tmp_path / "a.arrow")
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert set(pool.map(_digest, [read] * 4, chunksize=1)) == {_digest(read)}


GROWTH = """
import psutil
from pathlib import Path
import numpy as np
from sdr.corpus.records import Records, write_records
import pyarrow

def private():
    return psutil.Process().memory_full_info().uss / 2**20

path, blob = Path({path!r}), np.random.default_rng(0).bytes(200_000)
rows = (("d", i, bytes([i % 256]) + blob) for i in range(2000))
write_records(path, {columns!r}, [("d", 0, blob)])  # what Arrow takes once
before = private()
peaks = []
def watched():
    for i, row in enumerate(rows):
        if i % 100 == 0:
            peaks.append(private())
        yield row
write_records(path, {columns!r}, watched())
print(max(peaks) - before)
read = Records(path)
before = private()
for index in np.random.default_rng(1).permutation(len(read)):
    assert read.content(index)[0] == index % 256
print(private() - before)
"""


def test_memory_stays_flat_while_400_mb_are_written_and_read(tmp_path):
    program = GROWTH.format(path=str(tmp_path / "a.arrow"), columns=COLUMNS)
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written, read = map(float, done.stdout.split())
    assert (tmp_path / "a.arrow").stat().st_size > 400e6
    assert written < 100 and read < 20  # MiB: a few batches of 16 MiB; the index
