import pytest

from sdr.base.errors import UserError
from tools.seeds import table


def run(shift: float, *tasks: str) -> dict:
    networks = {"baseline": 50.0 + shift, "w0": 51.0, "sdr": 53.0 + 2 * shift, "gain": 3.0 + shift}
    return {task: {"linear": networks, "knn": networks} for task in tasks}


def test_mean_and_sample_deviation():
    row = table([run(s, "pets", "mean") for s in (0.0, 1.0, 2.0)]).splitlines()[2]
    assert row.startswith("| pets | 51.0 ± 1.0 | 51.0 ± 0.0 | 55.0 ± 2.0 | +4.0 ± 1.0 |")


def test_runs_with_different_tasks_are_refused():
    with pytest.raises(UserError, match="different tasks"):
        table([run(0.0, "pets"), run(0.0, "cars")])
