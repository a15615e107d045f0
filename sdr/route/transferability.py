"""Transferability scores of frozen features for a labelled task: LogME and the H-score; the higher, the better.

Neither trains a classifier. Both see the features only through one singular value decomposition X = U S Vᵀ,
which all classes share: what a class has in common with the features is Uᵀy, so that N×N and D×D matrices
never arise. All of it is float64.
"""

import numpy as np

from sdr.base.errors import UserError

# Noise-to-signal ratios t to look at, where the largest eigenvalue of XᵀX is 1. Below 1e-12 the features
# explain a class to float32's precision; above 1e6 they explain none of it.
_RATIOS = np.logspace(-12, 6, 145)
_STEPS = 1000  # of the fixed-point iteration; about ten are usual
_CONVERGED = 1e-8  # change of log t; the evidence is flat there, so its own error is far smaller


def logme(x: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    """Logarithm of the maximum evidence.

    You et al. (ICML 2021), "LogME: Practical Assessment of Pre-trained Models for Transfer Learning"; with one
    decomposition and a fixed point in one variable as in You et al. (JMLR 2022), "Ranking and Tuning
    Pre-trained Models". A class is a 0/1 target y = Xw + ε, w ~ N(0, I/α), ε ~ N(0, I/β), without an intercept.
    With m = βA⁻¹Xᵀy and A = αI + βXᵀX its log evidence is

        log p(y|X, α, β) = N/2 log β + D/2 log α - N/2 log 2π - β/2 ‖Xm-y‖² - α/2 ‖m‖² - 1/2 log|A|

    Given t = α/β the best β has a closed form, which leaves a function of t. Where it has several maxima the
    highest is taken. t stays at or above 1e-12 times the largest eigenvalue of XᵀX: the evidence of a class
    that is exactly linear in the features is unbounded.

    Args:
        x: N×D features, float of any precision. Rotation and common scale do not matter, their origin does.
        y: int64 N in [0, C), or bool N×C for a multi-label task.
        n_classes: C.

    Returns:
        The mean, over the classes with both a member and a non-member, of the maximum log evidence per image.
        A class of share p has at least -1/2 log(2πep), where the features explain nothing, and at most 13.82
        more.

    Raises:
        UserError: features that are not finite, fewer than two images, or no class with both a member and a
            non-member.
    """
    x, member = _checked(x, y, n_classes)
    n = len(x)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    eigenvalue = (s / (s[0] or 1)) ** 2  # k = min(N, D) of XᵀX; rescaling them only rescales α
    along = u.T @ member  # k×C
    explained = along.T**2  # C×k: a class's energy along each direction of the features
    outside = ((member - u @ along) ** 2).sum(axis=0)  # C: off all of them; ‖y‖² less the rest would cancel

    noise = _RATIOS[:, None] / (_RATIOS[:, None] + eigenvalue)
    best = _evidence(explained @ noise.T + outside[:, None], noise, n).argmax(axis=1)
    low, high = _RATIOS[np.maximum(best - 1, 0)], _RATIOS[np.minimum(best + 1, len(_RATIOS) - 1)]
    t = _RATIOS[best]
    for _ in range(_STEPS):
        before, t = t, np.clip(_fixed_point(t, eigenvalue, explained, outside, n), low, high)
        if np.abs(np.log(t / before)).max() < _CONVERGED:
            break
    noise = t[:, None] / (t[:, None] + eigenvalue)
    return float(_evidence((explained * noise).sum(axis=1) + outside, noise, n).mean())


def hscore(x: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    """H-score with shrinkage, tr(Σ_a⁻¹ (1-a) Σ_between).

    Bao et al. (ICIP 2019), "An Information-theoretic Approach to Transferability in Task Transfer Learning":
    tr(cov(f)⁻¹ cov(E[f|Y])). Ibrahim, Ponomareva & Mazumder (2021), "Newer is not always better": with the
    covariance Σ_a = (1-a)Σ + a tr(Σ)/D I of Ledoit & Wolf (2004) it holds for N < D too; the factor 1-a
    shrinks both covariances alike. Both divide by N.

    For a multi-label task, which neither paper treats, this is our extension: the mean over the classes of
    the H-score of each, Y being whether an image has it.

    Args:
        x: N×D features, float of any precision. Rotation, common scale and origin do not matter.
        y: int64 N in [0, C), or bool N×C for a multi-label task.
        n_classes: C.

    Returns:
        In [0, min(D, classes that occur - 1)]; in [0, 1] for a multi-label task. 0 where all features are equal.

    Raises:
        UserError: features that are not finite, fewer than two images, or no class with both a member and a
            non-member.
    """
    x, member = _checked(x, y, n_classes)
    n, dim = x.shape
    x = x - x[0]  # a constant feature is exactly 0 from here on; less its mean alone it might be dust
    x = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    real = s > s[0] * max(n, dim) * np.finfo(np.float64).eps  # the rest is rounding, of no direction
    u, eigenvalue = u[:, real], s[real] ** 2 / n  # the covariance's

    # Ledoit & Wolf: the error of the covariance as an estimate, by its distance from a multiple of I.
    mean = eigenvalue.sum() / dim
    squares = (eigenvalue**2).sum()
    distance = squares - dim * mean**2
    error = ((x**2).sum(axis=1) ** 2).sum() / n**2 - squares / n
    shrinkage = np.clip(error / distance, 0, 1) if distance > 0 else 0.0

    total = member.sum(axis=0)
    common = (member.T @ u) ** 2  # C×k; a class's mean feature is V S Uᵀy / total
    if y.ndim == 1:
        between = (common / total[:, None]).sum(axis=0)  # share of each direction's variance, in [0, 1]
    else:  # Uᵀ(1-y) = -Uᵀy, since the columns of U have mean 0
        between = (common * (1 / total + 1 / (n - total))[:, None]).mean(axis=0)
    kept = (1 - shrinkage) * eigenvalue
    return float((between * kept / (kept + shrinkage * mean)).sum())


def _checked(x: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The features, and 0/1 membership N×C of the classes with both a member and a non-member; float64."""
    if len(x) < 2:
        raise UserError(
            f"a transferability score needs at least 2 labelled images, got {len(x)}; add images to the task"
        )
    if not np.isfinite(x).all():
        raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
    member = y[:, None] == np.arange(n_classes) if y.ndim == 1 else y
    divided = member.any(axis=0) & ~member.all(axis=0)
    if not divided.any():
        raise UserError(
            f"no class of {n_classes} has both an image with it and one without it, so a transferability score "
            "is undefined; check the labels of the task"
        )
    return np.asarray(x, dtype=np.float64), member[:, divided].astype(np.float64)


def _evidence(energy: np.ndarray, noise: np.ndarray, n: int) -> np.ndarray:
    """Log evidence per image, at the best β = N / energy.

    With K = I + XXᵀ/t the target is N(0, K/β): energy is yᵀK⁻¹y, and noise, along its last axis, holds the
    eigenvalues t / (t + eigenvalue) of K⁻¹ other than 1.
    """
    return (np.log(noise).sum(axis=-1) / n - np.log(2 * np.pi * np.e * energy / n)) / 2


def _fixed_point(
    t: np.ndarray, eigenvalue: np.ndarray, explained: np.ndarray, outside: np.ndarray, n: int
) -> np.ndarray:
    """α/β by the updates α = γ/‖m‖², β = (N-γ)/‖Xm-y‖², γ the effective number of parameters; always uphill."""
    t = t[:, None]
    total = t + eigenvalue
    gamma = (eigenvalue / total).sum(axis=1)
    rest = n - len(eigenvalue) + (t / total).sum(axis=1)  # N-γ, without cancellation
    residual = (explained * (t / total) ** 2).sum(axis=1) + outside
    weight = (explained * eigenvalue / total**2).sum(axis=1) + 1e-200  # 0 where nothing is explained: t grows
    return gamma * residual / (rest * weight)
