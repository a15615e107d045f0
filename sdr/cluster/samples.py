"""Sample pictures of a cluster, to look at (paper, Fig. 5)."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_row(images: np.ndarray, file: Path, gap: int = 2) -> None:
    """Write images `B×S×S×3` uint8 side by side on white, `gap` pixels apart, as a PNG."""
    n, side = len(images), images.shape[1]
    row = Image.new("RGB", (n * (side + gap) - gap, side), "white")
    for i, image in enumerate(images):
        row.paste(Image.fromarray(image), (i * (side + gap), 0))
    row.save(file)
