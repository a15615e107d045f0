"""Who decodes the JPEGs of a batch: one thread, a thread a core, or a process a core that sends its pixels back.

    python -m benchmarks.decoding [--rounds 7] [--out FILE]

A batch of 256 JPEGs of 500 × 375, to squares of 256, as `sdr.corpus.store` makes them of encoded pictures. The three by
turns; processes get chunks of 16.
"""

import argparse
import json
import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from benchmarks.measure import machine
from sdr.corpus.decode import decode
from sdr.corpus.images import to_pixels

BATCH = 256


@cache
def jpegs() -> list[bytes]:
    """64 JPEGs of 500 × 375: smooth colours under noise, about 75 kB each."""
    random, encoded = np.random.default_rng(0), []
    for _ in range(64):
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        fine = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)) + random.normal(0, 10, (375, 500, 3))
        file = BytesIO()
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        encoded.append(file.getvalue())
    return encoded


def decode_some(numbers: range) -> np.ndarray:
    return np.stack([to_pixels(decode(jpegs()[number % 64], 256).image, 256, "") for number in numbers])


def decode_batch(pool: Executor | None, chunk: int) -> float:
    """Decode a batch; return the milliseconds an image takes."""
    chunks = [range(begin, begin + chunk) for begin in range(0, BATCH, chunk)]
    pixels, begun = np.empty((BATCH, 256, 256, 3), np.uint8), perf_counter()
    for numbers, some in zip(chunks, pool.map(decode_some, chunks) if pool else map(decode_some, chunks)):
        pixels[numbers.start : numbers.stop] = some
    return (perf_counter() - begun) * 1e3 / BATCH


def compare(rounds: int) -> dict[str, dict[str, float]]:
    """Return milliseconds an image: least and median over the rounds, the three by turns."""
    cores, found = os.cpu_count() or 1, {}
    jpegs()
    spawn = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(cores) as threads,
        ProcessPoolExecutor(cores, mp_context=spawn, initializer=jpegs) as processes,
    ):
        ways = {
            "one thread": (None, 1),
            f"{cores} threads": (threads, 1),
            f"{cores} processes": (processes, 16),
        }
        for number in range(rounds + 1):
            for name, way in ways.items():
                took = decode_batch(*way)
                if number:  # the first one warms up
                    found.setdefault(name, []).append(took)
    table = {name: {"least_ms": min(times), "median_ms": float(np.median(times))} for name, times in found.items()}
    for name, line in table.items():
        print(f"{name}: {line['least_ms']:.2f} ms an image at best, {line['median_ms']:.2f} median")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    table = compare(args.rounds)
    if args.out:
        facts = machine()
        facts["versions"]["pillow"] = version("pillow")
        result = {"ways": table, "batch": BATCH, "rounds": args.rounds, "load": os.getloadavg(), **facts}
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
