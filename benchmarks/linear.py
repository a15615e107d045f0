"""Linear evaluation against scikit-learn: the same problem, to the same tolerance, on the same features.

    python -m benchmarks.linear [--device cuda] [--multilabel] [--output FILE]

Both fit every penalty of the protocol's grid on the same fabricated features (non-negative, correlated, with the
spectrum of a ResNet's pooled features), from the strongest to the weakest, each start being the solution before.
scikit-learn stops at a gradient, not at a distance from the minimum: it runs with its default `tol` and with smaller
ones, until at every penalty its objective is within the relative gap that ours is asked for, or `--tols` are used
up. If they are, the ratio of the last is a lower bound: such features are separable, so at weak penalties the minimum is
almost zero and L-BFGS reaches it slowly. Each solver works alone in a fresh process, one after the other,
with all threads; its peak memory is what that process needed beyond the features (Linux only). Objectives are compared in float64.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.measure import machine, run_alone, start_clock
from sdr.evaluate.linear import Linear, fit_path
from sdr.evaluate.metrics import score

TOLERANCE = 1e-6  # relative gap to the minimum of the objective
TOLS = [1e-4, 1e-5, 1e-6]  # of scikit-learn, 1e-4 by default: largest entry of the gradient of its scaled objective


def features(n: int, dim: int, classes: int, multilabel: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features n×D float32 and targets, int64 n or bool n×C, that a linear classifier gets partly right."""
    world = np.random.default_rng(0)  # the same classes whatever the seed of the images
    decay = np.arange(1, dim + 1) ** -0.5  # standard deviations of the principal axes
    centres = world.normal(size=(classes, dim)) * decay
    mixing = np.linalg.qr(world.normal(size=(dim, dim)))[0]
    random = np.random.default_rng(seed)
    member = np.eye(classes, dtype=bool)[random.integers(classes, size=n)]
    if multilabel:
        member |= random.random((n, classes)) < 0.5 / classes
    x = (member @ centres + 4 * random.normal(size=(n, dim)) * decay) @ mixing
    return np.maximum(x, 0).astype(np.float32), member if multilabel else member.argmax(1)


def objective(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray, penalty: float) -> float:
    """The protocol's objective in float64, the penalty as a multiple of ½‖W‖²."""
    logits = torch.as_tensor(x, dtype=torch.float64) @ torch.as_tensor(weight) + torch.as_tensor(bias)
    target = torch.as_tensor(y)
    if y.ndim == 2:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target.double(), reduction="sum")
    else:
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
    return loss.item() + penalty / 2 * float((np.asarray(weight) ** 2).sum())


def ours(x, y, classes: int, penalties: list[float], device: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight D×C and bias C for each penalty, strongest first."""
    params = Linear(
        penalties=len(penalties), log10_min=-6, log10_max=5, tolerance=TOLERANCE, max_iterations=100, val_fraction=0.2
    )
    fits = [(f.weight.cpu().numpy(), f.bias.cpu().numpy()) for f in fit_path(x, y, classes, penalties, params, device)]
    return fits


def sklearns(x, y, classes: int, penalties: list[float], tol: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """As `ours`, by scikit-learn's L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    targets = y.T if y.ndim == 2 else [y]
    models = [LogisticRegression(tol=tol, max_iter=100_000, warm_start=True) for _ in targets]
    found = []
    for penalty in penalties:
        for model, target in zip(models, targets):
            # The protocol's multi-label fit is ordinary logistic regression with 2C.
            model.set_params(C=(2 if y.ndim == 2 else 1) / penalty).fit(x, target)
        weight = np.concatenate([model.coef_ for model in models]).T.astype(np.float64)
        found.append((weight, np.concatenate([model.intercept_ for model in models]).astype(np.float64)))
    return found


def solve(solver: str, file: str, *problem) -> list[tuple[np.ndarray, np.ndarray]]:
    """Run "ours" or "sklearns" on the features in `file`."""
    import sklearn.linear_model  # noqa: F401  imported before the clock starts

    with np.load(file) as data:
        x, y = data["x"], data["y"]
    start_clock()
    return (ours if solver == "ours" else sklearns)(x, y, *problem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--penalties", type=int, default=45)
    parser.add_argument("--multilabel", action="store_true", help="one binary problem a class, as VOC2007")
    parser.add_argument("--device", default="cpu", help="where ours computes; scikit-learn uses the CPU")
    parser.add_argument("--tols", type=float, nargs="+", default=TOLS, help="of scikit-learn, decreasing")
    parser.add_argument("--output", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    shape = (args.images, args.dim, args.classes, args.multilabel)
    penalties = np.logspace(-6, 5, args.penalties)[::-1].tolist()
    metric = "map" if args.multilabel else "top1"
    x, y = features(*shape, seed=1)
    test_x, test_y = features(*shape, seed=2)
    scale = 0.5 if args.multilabel else 1.0

    def describe(name: str, facts: dict, fits) -> dict:
        values = np.array([objective(x, y, *fit, scale * penalty) for fit, penalty in zip(fits, penalties)])
        tests = [score(metric, test_x @ weight + bias, test_y) for weight, bias in fits]
        print(f"{name}: {facts['seconds']:.1f} s, {facts['peak_mib']:.0f} MiB more than the features", flush=True)
        return facts | {"objectives": values, "tests": np.array(tests)}

    problem = (args.classes, penalties)
    runs = []
    with TemporaryDirectory() as folder:
        file = f"{folder}/features.npz"
        np.savez(file, x=x, y=y)
        mine = describe("ours", *run_alone(solve, "ours", file, *problem, args.device))

        def theirs(tol: float) -> dict:
            return describe(f"scikit-learn, tol {tol:g}", *run_alone(solve, "sklearns", file, *problem, tol))

        _compare(args, runs, mine, theirs)
    result = {
        "problem": vars(args) | {"output": None, "tolerance": TOLERANCE, "metric": metric},
        "ours": {"seconds": mine["seconds"], "peak_mib": mine["peak_mib"], "best_test": mine["tests"].max()},
        "features_mib": x.nbytes / 2**20,
        "sklearn": runs,
        "same_tolerance": bool(runs[-1]["largest_gap"] <= TOLERANCE),
        **machine(args.device),
    }
    print(json.dumps(result, indent=2))
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")


def _compare(args: argparse.Namespace, runs: list[dict], mine: dict, theirs_at) -> None:
    """Fill `runs` with scikit-learn's results at one `tol` after the other, as far as needed."""
    for tol in args.tols:
        theirs = theirs_at(tol)
        best = np.minimum(mine["objectives"], theirs["objectives"])
        runs.append(
            {
                "tol": tol,
                "seconds": theirs["seconds"],
                "ratio": theirs["seconds"] / mine["seconds"],
                "peak_mib": theirs["peak_mib"],
                "largest_gap": ((theirs["objectives"] - best) / best).max(),
                "largest_gap_per_image": (theirs["objectives"] - best).max() / args.images,  # nats
                "our_largest_gap": ((mine["objectives"] - best) / best).max(),
                # over the penalties, in points; and at the penalty that is best for each
                "largest_test_difference": abs(mine["tests"] - theirs["tests"]).max(),
                "best_test": theirs["tests"].max(),
                "best_test_difference": mine["tests"].max() - theirs["tests"].max(),
            }
        )
        print("  " + ", ".join(f"{name} {value:.3g}" for name, value in runs[-1].items()), flush=True)
        if runs[-1]["largest_gap"] <= TOLERANCE:
            break


if __name__ == "__main__":
    main()
