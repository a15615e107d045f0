"""What a classifier says of pictures: class and probabilities, a row a file."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.outputs import output_file
from sdr.corpus.entries import Skipped, read_all
from sdr.evaluate.temperature import softmax
from sdr.nets.embed import evaluation_view
from sdr.nets.folder import load_backbone
from sdr.tasks.pictures import picture_entries

BATCH = 256


def predict(
    model: Path, label_names: Sequence[str], folder: Path, max_bad_fraction: float, out: Path, device: torch.device
) -> tuple[int, list[str]]:
    """Write a CSV of all pictures below a folder: file, class, probability, and p(NAME) for each class.

    Pictures are read and classified a batch at a time; the file appears whole or not at all.

    Args:
        model: what `sdr.export.classifier.fit_classifier` wrote.
        label_names: the C classes, in the order of the logits.

    Returns:
        how many pictures there are, and what was left out, "file: reason".

    Raises:
        UserError: no picture, too many unreadable files, or a model whose logits are not C.
    """
    network = load_backbone(model, device)
    bare = network[-1] if isinstance(network, nn.Sequential) else network
    side = bare.pretrained_cfg["input_size"][-1]
    skipped, n = Skipped(max_bad_fraction, str(folder), "--max-bad-fraction"), 0
    with output_file(out) as partial_file:
        with partial_file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["file", "class", "probability", *(f"p({name})" for name in label_names)])
            bar = tqdm(picture_entries(folder), desc="predict", unit=" images", disable=None)
            for names, images in _batches(read_all(bar, side, skipped), BATCH):
                p = softmax(_logits(network, images, side, device, len(label_names), model))
                for name, row in zip(names, p):
                    best = int(row.argmax())
                    table.writerow([name, label_names[best], f"{row[best]:.6f}", *(f"{value:.6f}" for value in row)])
                n += len(names)
            skipped.check(n)
    return n, skipped.reasons


def _batches(pictures: Iterable, size: int) -> Iterator[tuple[list[str], np.ndarray]]:
    pictures = iter(pictures)
    while batch := list(islice(pictures, size)):
        yield [entry.origin for entry, _ in batch], np.stack([loaded.pixels for _, loaded in batch])


@torch.inference_mode()
def _logits(
    network: nn.Module, images: np.ndarray, side: int, device: torch.device, n_classes: int, model: Path
) -> np.ndarray:
    logits = network(evaluation_view(images, side, device)).float().cpu().numpy()
    if logits.shape[1] != n_classes:
        raise UserError(
            f"{model}: {logits.shape[1]} outputs but {n_classes} label_names; write it again with `sdr fit`"
        )
    return logits
