"""What step t does is a function of (seed, t): generators are made anew from both, none is carried along."""

import hashlib

import numpy as np
import torch


def derive(*key: int | str) -> int:
    """Hash a key, (seed, "images", step) say, to 63 bits."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def numpy_rng(*key: int | str) -> np.random.Generator:
    """NumPy's generator for this key."""
    return np.random.default_rng(derive(*key))


def torch_rng(*key: int | str) -> torch.Generator:
    """A CPU generator of torch for this key."""
    return torch.Generator().manual_seed(derive(*key))


def draw_batch(subset: np.ndarray, size: int, *key: int | str) -> np.ndarray:
    """Draw `size` of the image indices `subset` (int64): without replacement, or with it if there are too few."""
    return numpy_rng(*key).choice(subset, size, replace=len(subset) < size, shuffle=False)
