"""A .npy file of images, written picture by picture: constant memory, any number of pictures."""

from pathlib import Path

import numpy as np


class Pack:
    """Writes N×S×S×3 uint8 in C order; N need not be known before. A context manager.

    numpy leaves room in the header for the length of the first axis to grow, so the header is simply
    written again at the end.
    """

    def __init__(self, path: Path, size: int):
        self.size, self.count = size, 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, pixels: np.ndarray) -> None:
        """Add one picture, S×S×3 uint8."""
        self._file.write(np.ascontiguousarray(pixels, dtype=np.uint8).reshape(self.size, self.size, 3).data)
        self.count += 1

    def __enter__(self) -> "Pack":
        return self

    def __exit__(self, *error) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        shape = (self.count, self.size, self.size, 3)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
