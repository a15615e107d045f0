"""How a corpus may lie on disk: Arrow IPC, LMDB or .npy, at 10,000 and at 1.3 million records.

    python -m benchmarks.storage [--records 10000 1300000] [--rounds 3] [--folder DIR] [--out FILE]

Fabricated contents of 1,024 to 2,399 bytes and the metadata of a corpus, the same for each. Every reader works
alone in a fresh process, the formats by turns; it opens the file, then reads every record (100,000 at least) in random
order, a batch of 256 after another, and copies each content, as decoding does. From the system's cache: files are read
right after they were written. Private memory is what a process alone holds (psutil's USS), pages of a map included
that nobody else has mapped; "anonymous" leaves all pages of files out.

    arrow       sdr.corpus.records: the map says where a content lies, pread copies it
    arrow, map  the same file, contents copied out of the map
    lmdb        a B+ tree, keys are numbers, metadata in a table of their own as JSON
    npy         contents in one flat .npy, offsets and metadata (texts of fixed width) in two more, all mapped

Arrow it is. A record takes 1.3 µs among 10,000 and 1.7 µs among 1.3 million (LMDB 1.2 and 2.2, .npy 2.4 and 2.7),
nothing beside decoding, and reading everything leaves 15 MiB with the process, the index, where maps leave it charged
with the whole file. Copying out of the map is twice as fast and has just that fault. LMDB takes 1.45 times the disk,
for it fills pages of 4 KiB. Arrow has typed columns beside the bytes, notices a cut file, and is read by other programs;
with LMDB or .npy the metadata is a format of our own.
"""

import argparse
import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from benchmarks.measure import machine, run_alone, start_clock
from sdr.corpus.records import CONTENT, Records, write_records
from sdr.corpus.store import COLUMNS

FORMATS = ("arrow", "arrow, map", "lmdb", "npy")
BATCH = 256
ROW = np.dtype([(name, "S64" if kind == "string" else "i8") for name, kind in COLUMNS.items()])


def rows(n: int) -> Iterator[tuple]:
    """Yield n records: metadata as a corpus has it, and a content."""
    random = np.random.default_rng(0)
    noise, lengths = random.bytes(1 << 20), random.integers(1024, 2400, n)
    for index, (length, start) in enumerate(zip(lengths.tolist(), random.integers(0, 1 << 19, n).tolist())):
        domain = f"n{index % 1000:08d}"
        origin = f"train/{domain}/{domain}_{index}.JPEG"
        yield domain, origin, f"{index:064x}", length, 500, 375, noise[start : start + length]


def write(name: str, folder: Path, n: int) -> None:
    """Write n records in a format."""
    start_clock()
    if name == "arrow":
        write_records(folder / "images.arrow", COLUMNS | {CONTENT: "binary"}, rows(n))
    elif name == "lmdb":
        import lmdb

        with lmdb.open(str(folder), map_size=1 << 36, max_dbs=2, writemap=True) as env:
            contents, facts = (env.open_db(key) for key in (b"contents", b"facts"))
            with env.begin(write=True) as transaction:
                for index, row in enumerate(rows(n)):
                    key = struct.pack(">Q", index)
                    transaction.put(key, row[-1], db=contents, append=True)
                    transaction.put(key, json.dumps(row[:-1]).encode(), db=facts, append=True)
    else:
        ends = np.cumsum([0, *(row[3] for row in rows(n))])
        np.save(folder / "offsets.npy", ends)
        flat = np.lib.format.open_memmap(folder / "contents.npy", "w+", np.uint8, (int(ends[-1]),))
        facts = np.lib.format.open_memmap(folder / "facts.npy", "w+", ROW, (n,))
        for index, row in enumerate(rows(n)):
            flat[ends[index] : ends[index + 1]] = np.frombuffer(row[-1], np.uint8)
            facts[index] = tuple(value.encode() if isinstance(value, str) else value for value in row[:-1])


def reader(name: str, folder: Path) -> Callable[[int], bytes]:
    """Open a file; return what reads the content of a record."""
    if name.startswith("arrow"):
        records = Records(folder / "images.arrow")
        return records.content if name == "arrow" else partial(_out_of_the_map, records)
    if name == "lmdb":
        import lmdb

        env = lmdb.open(str(folder), readonly=True, lock=False, max_dbs=2, readahead=False)
        transaction = env.begin(db=env.open_db(b"contents"), buffers=True)
        return lambda index: bytes(transaction.get(struct.pack(">Q", index)))
    ends, flat = (
        np.load(folder / f"{what}.npy", mmap_mode="r", allow_pickle=False) for what in ("offsets", "contents")
    )
    return lambda index: flat[ends[index] : ends[index + 1]].tobytes()


def _out_of_the_map(records: Records, index: int) -> bytes:
    start = records._starts[index]
    return records._map[start : start + records._lengths[index]]


def read(name: str, folder: Path, n: int) -> dict[str, float]:
    """Measure opening, the time a record takes, and private memory."""
    import psutil

    def memory() -> np.ndarray:
        sums = Path("/proc/self/smaps_rollup").read_text().splitlines()
        anonymous = next(int(line.split()[1]) for line in sums if line.startswith("Anonymous:"))
        return np.array([psutil.Process().memory_full_info().uss / 2**20, anonymous / 1024])

    order = np.random.default_rng(1).permutation(n)
    for module in ("pyarrow", "lmdb"):
        __import__(module)
    before, begun = memory(), time.perf_counter()
    get = reader(name, folder)
    get(n // 2)
    opened = time.perf_counter() - begun
    times = []
    for begin in range(0, max(n, 100_000), BATCH):
        batch = np.take(order, range(begin, begin + BATCH), mode="wrap").tolist()
        begun = time.perf_counter()
        for index in batch:
            get(index)
        times.append((time.perf_counter() - begun) / BATCH)
    uss, anonymous = memory() - before
    times = np.array(times) * 1e6
    return {
        "open_ms": opened * 1e3,
        "us_per_record": np.median(times),
        "us_p90": np.quantile(times, 0.9),
        "private_mib": uss,
        "anonymous_mib": anonymous,
    }


def compare_formats(args: argparse.Namespace) -> list[dict]:
    """Return a line for each format and number of records: medians over the rounds."""
    root = Path(mkdtemp(prefix="storage-", dir=args.folder))
    lines = []
    try:
        for n in args.records:
            folders = {name: root / f"{name}-{n}" for name in FORMATS if name != "arrow, map"}
            wrote = {}
            for name, folder in folders.items():
                folder.mkdir()
                wrote[name] = run_alone(write, name, folder, n)[0]
            folders["arrow, map"] = folders["arrow"]
            found: dict[str, list[dict]] = {name: [] for name in FORMATS}
            for _ in range(args.rounds):
                for name in FORMATS:
                    found[name].append(run_alone(read, name, folders[name], n)[1])
            for name in FORMATS:
                files = [path.stat() for path in folders[name].iterdir()]
                facts = {key: float(np.median([one[key] for one in found[name]])) for key in found[name][0]}
                facts |= {"mb": sum(file.st_blocks * 512 for file in files) / 1e6}
                if name in wrote:
                    facts |= {"write_s": wrote[name]["seconds"], "write_peak_mib": wrote[name]["peak_mib"]}
                lines.append({"format": name, "records": n} | facts)
                print(
                    ", ".join(
                        f"{key} {value:,.4g}" if isinstance(value, float) else f"{value:>10}"
                        for key, value in lines[-1].items()
                    ),
                    flush=True,
                )
            for name in wrote:
                shutil.rmtree(folders[name])
    finally:
        shutil.rmtree(root)
    few = {line["format"]: line for line in lines if line["records"] == min(args.records)}
    for line in lines:
        line["times_the_few"] = line["us_per_record"] / few[line["format"]]["us_per_record"]
        arrow = next(other for other in lines if other["format"] == "arrow" and other["records"] == line["records"])
        line["times_arrow"] = line["us_per_record"] / arrow["us_per_record"]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 1_300_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write; 10 GB, removed in the end")
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    lines = compare_formats(args)
    if args.out:
        facts = machine()
        facts["versions"] |= {package: version(package) for package in ("pyarrow", "lmdb")}
        result = {"formats": lines, "batch": BATCH, "rounds": args.rounds, "load": os.getloadavg(), **facts}
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
