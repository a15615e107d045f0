"""The result tables: one row a task and their mean, as numbers and as Markdown."""

from statistics import fmean
from typing import Any

from sdr.report.run import RAW, DetectionRun, TaskRun
from sdr.report.scores import PROTOCOLS

LABELS = {
    "baseline": "baseline",
    "w0": "W_0",
    "sdr": "SDR",
    "gain": "gain",
}  # columns of a protocol, W_0 where it was evaluated
DETECTION = ("ap", "ap50", "ap75")

Scores = dict[str, dict[str, float]]


def scores(task: TaskRun) -> Scores:
    """Test scores of one task, %, not rounded: `{"linear": {"baseline", "sdr", "gain"}, "knn": …}`, and "w0" if evaluated.

    The gain is the routed sub-net minus the baseline, in percentage points.
    """
    table = {}
    for protocol in PROTOCOLS:
        row = {network: float(found[protocol]) for network, found in task.networks.items()}
        table[protocol] = row | {"gain": row["sdr"] - row["baseline"]}
    return table


def other_scores(evaluations: dict[str, dict[str, Any]]) -> Scores:
    """Test scores of the other networks on one task, %, not rounded: `{"linear": {NAME: score}, "knn": …}`."""
    return {p: {name: float(found[p]) for name, found in evaluations.items()} for p in PROTOCOLS}


def mean(tables: list[Scores]) -> Scores:
    """Unweighted mean over tasks of every score: each task counts the same, whatever its metric and size."""
    return {
        protocol: {column: fmean(table[protocol][column] for table in tables) for column in tables[0][protocol]}
        for protocol in PROTOCOLS
    }


def summary(tasks: list[TaskRun], sets: list[DetectionRun]) -> dict[str, float]:
    """The means that `dvc metrics` and `dvc exp show` show, in few and short columns, to 2 digits; empty without tasks.

    base, sdr: linear scores of the baseline and of the routed sub-nets, %; gain: the difference, points; ap: the routed
    sub-nets' mean average precision over the detection sets, %, where there is one. All else is in the report: more
    columns would not fit a terminal.
    """
    if not tasks:
        return {}
    linear = mean([scores(task) for task in tasks])["linear"]
    found = {"base": linear["baseline"], "sdr": linear["sdr"], "gain": linear["gain"]}
    precisions = [result.networks["sdr"]["ap"] for result in sets]
    if precisions and None not in precisions:  # none of them diverged
        found["ap"] = fmean(precisions)
    return {name: round(value, 2) for name, value in found.items()}


def task_scores(tasks: list[TaskRun]) -> dict[str, float]:
    """The linear score of the routed sub-net on each task, %, to 2 digits, for `dvc metrics`."""
    return {task.name: round(float(task.networks["sdr"]["linear"]), 2) for task in tasks}


def detection_summary(sets: list[DetectionRun]) -> dict[str, dict[str, dict[str, float]]]:
    """What detection found: set → ap, ap50, ap75 → network, %, and the gain of SDR in points.

    None for a network whose detector diverged, and for a gain that lacks one of its two scores.
    """
    return {
        found.name: {
            metric: {network: _rounded(result[metric]) for network, result in found.networks.items()}
            | {"gain": _gain(found.networks["sdr"][metric], found.networks["baseline"][metric])}
            for metric in DETECTION
        }
        | {"iterations": {"routing": found.routing["iterations"], "exhaustive": found.routing["exhaustive_iterations"]}}
        for found in sets
    }


def separated(task: TaskRun) -> bool:
    """Whether the 95 % intervals of baseline and routed sub-net (linear) do not overlap."""
    low, high = task.networks["baseline"]["linear_interval"]
    low_sdr, high_sdr = task.networks["sdr"]["linear_interval"]
    return low_sdr > high or high_sdr < low


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _gain(value: float | None, before: float | None) -> float | None:
    return None if value is None or before is None else round(value - before, 2)


def signed(value: float | None) -> str:
    """`+1.20`, `−0.35` (a true minus), `0.00`; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:+.2f}".replace("-", "−")
    return text[1:] if float(f"{value:.2f}") == 0 else text


def percent(value: float | None) -> str:
    """`81.25`; a dash where nothing was measured, as raw pixels with several labels an image."""
    return "–" if value is None else f"{value:.2f}"


def below_raw(task: TaskRun, network: str = "sdr") -> list[str]:
    """The protocols, of "linear" and "kNN", in which a network does not reach raw pixels; by default the one that routing took.

    In linear where the network `pixels` was evaluated; in kNN the better of its score and 5 nearest neighbours.
    """
    pixels, raw, ours = task.others.get(RAW, {}), task.meta["raw_knn"], (task.networks | task.others)[network]
    best = {"linear": pixels.get("linear"), "knn": max(filter(None, (pixels.get("knn"), raw)), default=None)}
    names = zip(PROTOCOLS, ("linear", "kNN"), strict=True)
    return [name for key, name in names if network != RAW and best[key] is not None and ours[key] < best[key]]


def raw_linear(task: TaskRun) -> float | None:
    """Logistic regression on raw pixels, %; None where the network `pixels` was not evaluated."""
    return task.others[RAW]["linear"] if RAW in task.others else None


def markdown(tasks: list[TaskRun], sets: list[DetectionRun]) -> str:
    """The tables for people, in Markdown: the result, the other backbones, detection."""
    return "\n".join(filter(None, [_result(tasks), _others(tasks), _detection(sets)]))


def _result(tasks: list[TaskRun]) -> str:
    if not tasks:
        return "No task in `params.yaml`: nothing was evaluated.\n"
    columns = [LABELS[name] for name in scores(tasks[0])["linear"]]
    headings = [f"{name} {column}" for name in ("linear", "kNN") for column in columns]
    lines = [
        _line(["task", "metric", *headings, "raw pixels linear", "raw pixels kNN", "chance"]),
        _line([":--", ":--", *["--:"] * (len(headings) + 3)]),
    ]
    for task in tasks:
        linear, knn = (cells(scores(task)[protocol]) for protocol in PROTOCOLS)
        for column, network in enumerate(task.networks):
            low, high = task.networks[network]["linear_interval"]
            linear[column] += f" ({low:.1f}–{high:.1f})"
        context = [percent(raw_linear(task)), percent(task.meta["raw_knn"]), percent(task.meta["chance"])]
        lines.append(_line([task.name, _words(task.meta["metric"]), *linear, *knn, *context]))
    total = mean([scores(task) for task in tasks])
    lines.append(_line(["**mean**", "", *cells(total["linear"]), *cells(total["knn"]), "", "", ""]))
    lines += [
        "",
        "Test scores in per cent; in brackets the 95 % bootstrap interval of the test images. Baseline: "
        "one network of a sub-net's width, pre-trained on the whole corpus. W_0: the super-net. SDR: the "
        "sub-net that routing chose on the training split. Gain: SDR minus baseline, in points. Raw pixels: "
        "logistic regression, and 5-NN on 32 × 32 pixels. One seed.",
        *(f"{task.name}: below raw pixels in {' and '.join(below_raw(task))}." for task in tasks if below_raw(task)),
    ]
    return "\n".join(lines) + "\n"


def _others(tasks: list[TaskRun]) -> str:
    if not tasks or not tasks[0].others:
        return ""
    names = list(tasks[0].others)
    rows = {task.name: other_scores(task.others) for task in tasks}
    rows["**mean**"] = mean(list(rows.values()))
    lines = [
        _line(["task", *(f"{name} {protocol}" for protocol in ("linear", "kNN") for name in names)]),
        _line([":--", *["--:"] * (2 * len(names))]),
    ]
    for title, row in rows.items():
        lines.append(_line([title, *(percent(row[protocol][name]) for protocol in PROTOCOLS for name in names)]))
    note = "The other networks (ensemble, votes: the best sub-nets together), test scores in per cent."
    return "\n".join([*lines, "", note, ""])


def _detection(sets: list[DetectionRun]) -> str:
    if not sets:
        return ""
    lines = [_line(["set", "network", "AP", "AP50", "AP75", "iterations"]), _line([":--", ":--", *["--:"] * 4])]
    for found in sets:
        for network, result in found.networks.items():
            precisions = [percent(result[metric]) for metric in DETECTION]
            lines.append(_line([found.name, network, *precisions, result["iterations"]]))
    rules = "average precision (11 recalls; COCO's rules for sets in its format) on the test split"
    failed = [
        f"{found.name}, {network}: no score, the detector {result['failed']}."
        for found in sets
        for network, result in found.networks.items()
        if result.get("failed")
    ]
    return "\n".join([*lines, "", f"Faster R-CNN FPN, {rules}, in per cent.", *failed, ""])


def cells(row: dict[str, float]) -> list[str]:
    """Baseline, W_0, SDR and gain as text."""
    return [*(f"{row[network]:.2f}" for network in row if network != "gain"), signed(row["gain"])]


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _words(name: str) -> str:
    return name.replace("_", " ")
