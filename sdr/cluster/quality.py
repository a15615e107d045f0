"""How good a clustering is: sizes, entropy, balance, agreement with the known domains, and pictures to look at."""

from pathlib import Path

import numpy as np
from PIL import Image


def describe(assignment: np.ndarray, domains: list[str], k: int) -> tuple[list[dict], dict]:
    """Describe a clustering, a row a cluster and as a whole.

    Args:
        assignment: int64 N, cluster of each image, in [0, k).
        domains: N names.
        k: number of clusters.

    Returns:
        rows: {cluster, size, purity, domain} of each cluster, where purity is the share of its most frequent
            domain in [0, 1] (ties: first by name) and domain the name of that; purity 0 and domain "" for an
            empty cluster.
        metrics: n_clusters; entropy, that of the sizes in nats, at most log k; balance, smallest over mean
            size; min_size, max_size; purity, the share of images in their cluster's domain; nmi, the
            normalised mutual information of clusters and domains (by the arithmetic mean of their entropies),
            in [0, 1].
    """
    names, domain = np.unique(np.asarray(domains), return_inverse=True)
    table = np.bincount(assignment * len(names) + domain, minlength=k * len(names)).reshape(k, len(names))
    sizes = table.sum(axis=1)
    rows = [
        {
            "cluster": j,
            "size": int(sizes[j]),
            "purity": float(table[j].max() / sizes[j]) if sizes[j] else 0.0,
            "domain": str(names[table[j].argmax()]) if sizes[j] else "",
        }
        for j in range(k)
    ]
    by_cluster, by_domain = _entropy(sizes), _entropy(table.sum(axis=0))
    shared = by_cluster + by_domain - _entropy(table.ravel())
    metrics = {
        "n_clusters": k,
        "entropy": by_cluster,
        "balance": float(sizes.min() / sizes.mean()),
        "min_size": int(sizes.min()),
        "max_size": int(sizes.max()),
        "purity": float(table.max(axis=1).sum() / len(assignment)),
        # Both partitions of one part each agree fully, but share no information to speak of.
        "nmi": max(0.0, 2 * shared / (by_cluster + by_domain)) if by_cluster + by_domain > 0 else 1.0,
    }
    return rows, metrics


def save_row(images: np.ndarray, file: Path, gap: int = 2) -> None:
    """Write images `B×S×S×3` uint8 of a cluster (paper, Fig. 5) side by side on white, `gap` pixels apart, as a PNG."""
    n, side = len(images), images.shape[1]
    row = Image.new("RGB", (n * (side + gap) - gap, side), "white")
    for i, image in enumerate(images):
        row.paste(Image.fromarray(image), (i * (side + gap), 0))
    row.save(file)


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum()) + 0.0
