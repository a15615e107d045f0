"""The main tables of all sets of experiments in Markdown."""

from sdr.experiments import words
from sdr.experiments.comparison import Against, Comparison, RowResult
from sdr.experiments.measured import PROTOCOLS
from sdr.experiments.paired import Sample
from sdr.report.tables import signed
from sdr.report.units import decimal, duration


def markdown(sets: list[Comparison]) -> str:
    """A section a set: heading, question, table, how to make it; then how to read them."""
    parts = ["# Experiments"]
    for found in sets:
        parts += [f"## {found.of_set.title}", found.of_set.question]
        parts.append(_table(found) if found.measured else "Not measured yet.")
        commits = ", ".join(f"`{commit}`" for commit in found.commits)
        made = f"`make experiments SET={found.name} && make tables`"
        parts.append(made + (f", run from {commits}" if commits else "") + ".")
    return "\n\n".join([*parts, "## How to read the tables", *words.READING]) + "\n"


def _table(found: Comparison) -> str:
    columns = words.columns(found)
    headings = ["row", "seeds"]
    for protocol, label in zip(PROTOCOLS, ("linear", "kNN")):
        headings += [label, f"Δ {label} (95 %)", "p (raw)", "tasks better"]
        headings += [f"paper {label}", "paper Δ"] if protocol in columns.paper else []
    headings += ["spread"] if columns.spread else []
    headings += ["TMAC", "with baseline", "time"] + (["paper, h"] if "hours" in columns.paper else [])
    lines = [headings, [":--", *["--:"] * (len(headings) - 1)]]
    lines += [_row(row, columns) for row in found.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _row(row: RowResult, columns: words.Columns) -> list[str]:
    name = row.row.name.replace("|", "\\|")
    cells = [f"**{name}** (reference)" if row.is_reference else name, str(len(row.seeds))]
    for protocol in PROTOCOLS:
        cells.append(_sample(row.scores[protocol]))
        cells += ["–"] * 3 if row.is_reference else _against(row.against[protocol])
        if protocol in columns.paper:
            cells += [
                decimal(row.paper.get(protocol)),
                words.signed_or_dash(row.paper_difference.get(protocol)),
            ]
    cells += [_sample(row.spread)] if columns.spread else []
    for column in ("teramacs", "teramacs_in_all"):
        cells.append(f"{decimal(row.cost[column])} {words.times(row.times[column])}".strip())
    cells.append(duration(row.cost["seconds"]))
    return cells + ([decimal(row.paper.get("hours"), 0)] if "hours" in columns.paper else [])


def _sample(found: Sample) -> str:
    return decimal(found.mean) + (f" ± {decimal(found.std)}" if found.std is not None else "")


def _against(against: Against) -> list[str]:
    found = against.difference
    if not found.sample.n:
        return ["–"] * 3
    better = "–" if against.better is None else "{} of {}".format(*against.better)
    tested = "–" if found.p is None else f"{words.p_value(against.p_holm)} ({words.p_value(found.p)})"
    return [f"{signed(found.sample.mean)} ({words.interval(found)})", tested, better]
