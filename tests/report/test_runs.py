"""Which runs are shown, and the axis of time without its breaks, against values worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sdr.base.run_log import StageRun
from sdr.report.plot_runs import draw_runs
from sdr.report.runs import PARTS, last_runs, part_of, position, stretches
from sdr.report.style import LIGHT, render

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PIPELINE = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())


def ran(stage, start, seconds, status="ok"):
    return StageRun(stage, START + timedelta(seconds=start), seconds, status)


def test_every_stage_of_the_pipeline_has_a_part():
    shown = [stage for stages in PARTS.values() for stage in stages]
    assert sorted([*shown, "report"]) == sorted(PIPELINE["stages"])


def test_the_last_run_of_each_stage_in_the_order_of_their_starts():
    log = [
        ran("pretrain", 0, 10),
        ran("route@digits", 20, 5),
        ran("route@icons", 10, 30),
        ran("pretrain", 50, 12, "failed"),
        ran("route@digits", 40, 5),
    ]
    assert last_runs(log, ["digits", "icons"], [], []) == [log[2], log[4], log[3]]


def test_what_the_pipeline_no_longer_has_is_left_out():
    log = [
        ran(stage, i, 1)
        for i, stage in enumerate(
            [
                "manifest@digits",
                "manifest@gone",
                "route_detection@demo",
                "backbone@moco-v2",
                "backbone@gone",
                "evaluate@digits-moco-v2",
                "evaluate@digits-gone",
                "finetune@demo-moco-v2",
                "renamed",
                "report",
            ]
        )
    ]
    found = [run.stage for run in last_runs(log, ["digits"], ["demo"], ["moco-v2"])]
    assert found == [
        "manifest@digits",
        "route_detection@demo",
        "backbone@moco-v2",
        "evaluate@digits-moco-v2",
        "finetune@demo-moco-v2",
    ]


def test_parts():
    assert part_of(ran("prepare_task@digits", 0, 1)) == "corpus"
    assert part_of(ran("evaluate@digits-moco", 0, 1)) == "evaluation"


def test_long_breaks_are_cut_out_and_short_ones_are_not():
    runs = [ran("prepare", 0, 100), ran("pretrain", 150, 50), ran("cluster", 5000, 20), ran("extract", 5010, 30)]
    first, second = stretches(runs)
    assert (first.start, first.end, first.offset) == (START, START + timedelta(seconds=200), 0)
    assert (second.start, second.end) == (runs[2].started, START + timedelta(seconds=5040))
    assert second.offset == 200
    assert [position(run.started, [first, second]) for run in runs] == [0, 150, 200, 210]


def test_in_long_runs_a_break_of_minutes_is_short():
    runs = [ran("prepare", 0, 10_000), ran("pretrain", 10_250, 5_000)]  # 2 % of 15 000 s is 300 s
    assert len(stretches(runs)) == 1
    assert len(stretches([runs[0], ran("pretrain", 10_350, 5_000)])) == 2


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 10**4)), min_size=1, max_size=30))
def test_the_axis_keeps_the_order_and_every_duration(times):
    runs = sorted((ran("prepare", *time) for time in times), key=lambda run: run.started)
    found = stretches(runs)
    places = [position(run.started, found) for run in runs]
    assert places == sorted(places)
    total = found[-1].offset + (found[-1].end - found[-1].start).total_seconds()
    for run, place in zip(runs, places, strict=True):
        assert place + run.seconds <= total + 1e-3
    for before, after in zip(found, found[1:]):
        assert (after.start - before.end).total_seconds() > 60
        assert after.offset - before.offset == pytest.approx((before.end - before.start).total_seconds())


def test_a_row_a_stage_and_a_bar_a_run():
    runs = [
        ran("prepare", 0, 30),
        ran("route@a", 40, 60),
        ran("route@b", 101, 6.5),
        ran("evaluate_routed@a", 99_000, 2, "failed"),
    ]
    axes = draw_runs(runs, LIGHT).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["prepare", "route", "evaluate_routed"]
    bars = [bar.get_paths()[0].get_extents() for bar in axes.collections]
    assert [(round(bar.x0, 3), round(bar.width, 3), round(bar.y0 + 0.32)) for bar in bars] == [
        (0, 30, 0),
        (40, 60, 1),
        (101, 6.5, 1),
        (107.5, 2, 2),
    ]
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ["30 s", "1 min 06 s, 2 runs", "2.0 s"]
    assert "01 Mar\n09:00" in texts
    assert [bool(bar.get_facecolor().size) for bar in axes.collections] == [True, True, True, False]


def test_a_single_run_of_no_length_can_be_drawn():
    assert render(lambda palette: draw_runs([ran("route@a", 0, 0.0)], palette), LIGHT).startswith(b"\x89PNG")
