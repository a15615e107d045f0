"""Records on disk: one Arrow IPC file a data set, written one after another, memory-mapped and read by index.

A record is what is known of a picture (domain, origin, hash, size: columns of texts and whole numbers) and, where it is
kept, its content: bytes of any length. `benchmarks/storage.py` compares the formats; its docstring says why this one.

The map serves the columns and says where each content lies. The content itself is copied from there with `pread`: 1.7 µs
among 1.3 million records and 1.3 µs among 10,000, while a process that touches a content in the map is charged for up to a
megabyte of neighbouring pages each time, and dies without a message where a disk fails under it.
"""

import mmap
import os
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np

from sdr.base.errors import UserError
from sdr.base.outputs import output_file

CONTENT = "content"  # the column of bytes
BATCH_BYTES, BATCH_ROWS = 16 << 20, 8192  # what is gathered before it is written: whichever is reached first
_AGAIN = "run `dvc repro --force prepare`, or `dvc pull` it again"

Kind = Literal["string", "int64", "binary"]


def write_records(path: Path, columns: Mapping[str, Kind], rows: Iterable[tuple]) -> int:
    """Write rows as they come; return how many. Memory does not grow with their number.

    The file appears whole or not at all. The same rows give the same bits.

    Args:
        path: of the file.
        columns: name → kind; the one of kind "binary", if any, is called `CONTENT`.
        rows: a record each, its values in the order of `columns`.
    """
    import pyarrow as pa

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    place = schema.get_field_index(CONTENT)  # -1: there is none
    with (
        output_file(path) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        count = 0
        for batch in _batches(rows, place):
            columns_of_batch = zip(zip(*batch), schema.types)
            writer.write_batch(pa.record_batch([pa.array(*pair) for pair in columns_of_batch], schema=schema))
            count += len(batch)
    return count


def _batches(rows: Iterable[tuple], content: int) -> Iterator[list[tuple]]:
    """Yield the rows in lists of at most `BATCH_ROWS` rows and about `BATCH_BYTES` of content."""
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += len(row[content]) if content >= 0 else 0
        if size >= BATCH_BYTES or len(batch) == BATCH_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class Records:
    """N records of a file that `write_records` wrote.

    Any number of threads may read. Processes share what the system holds of the file, whether they were forked with
    this object, got it pickled (its path is what travels) or opened the file themselves.

    Attributes:
        path: the file, absolute.
        columns: names of the columns.
    """

    def __init__(self, path: str | Path):
        """Open the file: 12 bytes a record are held in memory, to find its content.

        Raises:
            FileNotFoundError: there is no such file.
            UserError: it is cut short, or something else than records.
        """
        import pyarrow as pa

        self.path = Path(path).absolute()
        self._file = self.path.open("rb", buffering=0)
        try:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            whole = pa.py_buffer(self._map)
            reader = pa.ipc.open_file(whole)
            # All of them here, for an Arrow reader is not for several threads; what it returns is.
            self._parts = [reader.get_batch(number) for number in range(reader.num_record_batches)]
            for part in self._parts:
                part.validate()
            self._ends = list(accumulate(map(len, self._parts)))
            starts, lengths = np.empty(len(self), np.int64), np.empty(len(self), np.int32)
            for part, end in zip(self._parts, self._ends if CONTENT in reader.schema.names else ()):
                _, offsets, content = part.column(CONTENT).buffers()
                edges = np.frombuffer(offsets, np.int32, len(part) + 1)
                here = slice(end - len(part), end)
                begin = content.address - whole.address if edges[-1] else 0
                starts[here] = edges[:-1]
                starts[here] += begin  # in 64 bits
                lengths[here] = np.diff(edges)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{path}: cut short or not a file of records ({error}); {_AGAIN}") from None
        self.columns = reader.schema.names
        self._starts, self._lengths = starts.data, lengths.data  # indexed in half the time of arrays
        self._let_go()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __reduce__(self):
        return Records, (self.path,)

    def column(self, name: str) -> Iterator[str | int]:
        """Yield the N values of a column; equal texts are one object."""
        for part in self._parts:
            for value in part.column(name).to_pylist():
                yield sys.intern(value) if isinstance(value, str) else value
        self._let_go()

    def value(self, name: str, index: int) -> str | int:
        """Return a value of one record, 0 ≤ index < N."""
        number = bisect_right(self._ends, index)
        part = self._parts[number]
        return part.column(name)[index - self._ends[number] + len(part)].as_py()

    def content(self, index: int) -> bytes:
        """Return the bytes of one record.

        Raises:
            UserError: the file was cut short since it was opened.
        """
        length = self._lengths[index]
        content = os.pread(self._file.fileno(), length, self._starts[index])
        if len(content) < length:
            raise UserError(f"{self.path}: was cut short while it was in use; {_AGAIN}")
        return content

    def _let_go(self) -> None:
        """Take the pages that were touched off this process's account; they stay in the system's cache."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not everywhere
            self._map.madvise(mmap.MADV_DONTNEED)
