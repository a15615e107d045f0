"""The page of experiments: what it must say, with everything measured, something or nothing."""

import base64
import io
import re

import pytest
from PIL import Image

from sdr.experiments.comparison import compare, read_all
from sdr.experiments.figures import figure_of
from sdr.experiments.page import experiments_page, write_experiments
from sdr.experiments.plot_curves import curve_of, points
from sdr.experiments.plot_forest import reach
from sdr.experiments.plot_subnets import number_of
from sdr.experiments.sets import FOLDER, set_names
from sdr.experiments.tables import markdown
from sdr.experiments.words import READING, columns, p_value, times
from sdr.report.style import DARK, LIGHT, render
from tests.experiments.toys import line, lines, toy_set
from tests.report.browser import CHROMIUM, Browser, NoAnswer
from tests.report.test_page import Page

BASE, OURS, WORSE = (56.0, 56.5, 55.7), (57.0, 58.5, 57.2), (50.1, 50.0, 50.3)
PAPER = {"paper": {"linear": 72.9}, "paper_row": "SimSiam, 23.5M"}


def full(name="rows"):
    of_set = toy_set("base", "ours", "worse", base=PAPER, ours={"paper": {"linear": 75.28}})
    return compare(name, of_set, lines(base=BASE, ours=OURS, worse=WORSE))


def parts():
    part = {name: {"of": "baseline", "set": {"pretrain.part": name[0]}} for name in ("A, epochs", "B, epochs")}
    part["B, steps"] = {"of": "baseline", "set": {"pretrain.part": "B", "pretrain.epoch": "corpus"}}
    measured = lines(**{"all": BASE, "A, epochs": OURS, "B, epochs": WORSE}) + [line("B, steps", 1, 55.0)]
    return compare("fig1", toy_set("all", *part, reference="all", **part), measured)


def subnets():
    paper = {n: {"paper": {"knn": 50.0 + n, "hours": 200.0 + 50 * n}} for n in (1, 4, 16)}
    names = {n: "1 sub-net" if n == 1 else f"{n} sub-nets" for n in paper}
    of_set = toy_set(*names.values(), reference="1 sub-net", **{names[n]: paper[n] for n in paper})
    return compare("table4", of_set, lines(**{"1 sub-net": BASE, "4 sub-nets": OURS}))


def curves():
    names = [f"{curve}, {epochs} epochs" for curve in ("baseline", "SDR") for epochs in (8.5, 17)]
    of_set = toy_set(*names, reference=names[0])
    costs = dict(zip(names, (2.0, 4.0, 2.1, 4.1)))
    return compare(
        "curves", of_set, [line(n, s, BASE[s] + costs[n], in_all=costs[n]) for n in names[:3] for s in range(3)]
    )


def plain_subnets():
    of_set = toy_set("1 sub-net", "4 sub-nets", reference="1 sub-net")
    return compare("subnets", of_set, lines(**{"1 sub-net": BASE, "4 sub-nets": OURS}))


def page(tmp_path, *sets):
    write_experiments(list(sets), tmp_path)
    return Page((tmp_path / "index.html").read_text())


def cells(text, table):
    body = re.search(f'id="table-{table}".*?<tbody>(.*?)</tbody>', text, re.S)[1]
    rows = [re.findall(r"<t[hd].*?</t[hd]>", row, re.S) for row in body.split("</tr>")[:-1]]
    return [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in rows]


def test_the_main_table(tmp_path):
    page(tmp_path, full())
    base, ours, worse = cells((tmp_path / "index.html").read_text(), "rows")
    assert base[0] == "base reference paper: SimSiam, 23.5M"
    assert base[1:6] == ["56.07 ± 0.40", "–", "–", "–", "72.90"]
    assert ours[:2] == ["ours", "57.57 ± 0.81"]
    assert ours[2:6] == ["+1.50 +0.26 to +2.74", "0.035 raw 0.035", "2 of 2", "75.28 +2.38"]
    assert ours[6:10] == ["51.57 ± 0.81", "+1.50 +0.26 to +2.74", "0.035 raw 0.035", "2 of 2"]
    assert ours[10:] == ["10.00 × 1.00", "10.00 × 1.00", "1 min 00 s × 1.00"]
    assert worse[4:6] == ["0 of 2", "–"]


def test_a_section_a_set_with_all_that_belongs_to_it(tmp_path):
    found = page(tmp_path, full(), parts(), subnets())
    assert [s["id"] for s in found.all("section")] == ["rows", "fig1", "table4", "reading"]
    for said in (
        "A title",
        "A question?",
        "Seeds 0, 1, 2",
        "make experiments SET=rows && make tables",
        "d867b3e0aa12",
    ):
        assert said in found.text
    for paragraph in READING:
        assert paragraph in found.text
    assert "little power" in found.text and "Holm" in found.text
    assert "../report/index.html" in [a["href"] for a in found.all("a")]
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"rows.png", "fig1.png", "table4.png"}


def test_nothing_is_requested_and_every_picture_opens(tmp_path):
    found = page(tmp_path, full(), subnets())
    addresses = [a for tag in ("img", "source") for e in found.all(tag) for a in (e.get("src"), e.get("srcset")) if a]
    assert len(addresses) == 4
    for address in addresses:
        assert address.startswith("data:image/png;base64,")
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).load()
    assert all(image["alt"] for image in found.all("img"))
    assert found.all("script") == [{}] and [link["href"] for link in found.all("link")] == ["data:,"]


def test_without_results_it_says_how_to_get_them(tmp_path):
    found = page(tmp_path, *read_all(FOLDER, tmp_path / "none"))
    assert "No experiment has finished yet" in found.text
    for name in set_names():
        assert f"make experiments SET={name} && make tables" in found.text
    assert found.text.count("Not measured yet") == len(set_names())
    assert found.all("table") == found.all("img") == []
    assert "Not measured yet" in (tmp_path / "tables.md").read_text()


def test_no_set_at_all(tmp_path):
    assert "make experiments SET=NAME" in page(tmp_path).text


def test_missing_rows_and_seeds_are_shown(tmp_path):
    some = compare(
        "some",
        toy_set("base", "half", "none"),
        [*lines(base=BASE), line("half", 1, 57.0), line("gone", 0, 1.0)],
    )
    found = page(tmp_path, some)
    base, half, none = cells((tmp_path / "index.html").read_text(), "some")
    assert half[0] == "half without seeds 0, 2" and none[0] == "none not measured"
    assert half[1:5] == ["57.00", "+0.50 one seed", "–", "2 of 2"]
    assert set(none[1:]) == {"–"}
    assert "no longer in the set, and not shown: gone" in found.text


def test_only_the_reference_was_measured(tmp_path):
    found = compare("lone", toy_set("base", "ours"), lines(base=BASE))
    assert figure_of(found) is None
    assert page(tmp_path, found).all("img") == []


def test_names_are_escaped(tmp_path):
    evil = "<script>alert(1)</script> & |"
    named = compare("set", toy_set("base", evil), [*lines(base=BASE), *lines(**{evil: OURS})])
    found = page(tmp_path, named)
    text = (tmp_path / "index.html").read_text()
    assert "<script>alert" not in text and evil in found.text
    table = [row for row in markdown([named]).splitlines() if row.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) == 1


def test_markdown_has_the_same_numbers():
    text = markdown([full()])
    assert "## A title" in text and "`make experiments SET=rows && make tables`, run from `d867b3e0aa12`." in text
    row = next(row for row in text.splitlines() if row.startswith("| ours"))
    assert row.startswith(
        "| ours | 3 | 57.57 ± 0.81 | +1.50 (+0.26 to +2.74) | 0.035 (0.035) | 2 of 2 | 75.28 | +2.38 | 51.57 ± 0.81 |"
    )


def test_columns_follow_what_there_is():
    assert columns(full()).paper == ["linear"] and not columns(full()).spread
    assert columns(subnets()).paper == ["knn", "hours"]
    for found in (full(), parts(), subnets()):
        shown = columns(found)
        assert sum(width for _, width in shown.groups) == len(shown.headings)


def test_numbers_as_text():
    assert [p_value(p) for p in (None, 0.0004, 0.0234, 1.0)] == ["–", "< 0.001", "0.023", "1.000"]
    assert (times(None), times(2.5)) == ("", "× 2.50")


@pytest.mark.parametrize("make", [full, parts, subnets, plain_subnets, curves])
@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_figures_are_drawn(make, palette):
    drawing = figure_of(make())
    with Image.open(io.BytesIO(render(drawing.draw, palette))) as image:
        assert image.width > 900
    assert drawing.alt and drawing.caption


def test_each_set_of_the_project_has_a_figure_when_measured():
    """Also when the last row is missing, if two are left, and with one seed."""
    for found in read_all(FOLDER, FOLDER):
        of_set = found.of_set
        measured = [
            line(row.name, 0, 50.0 + i, spread=2.0) for i, row in enumerate(of_set.rows[: max(2, len(of_set.rows) - 1)])
        ]
        render(figure_of(compare(found.name, of_set, measured)).draw, LIGHT)


def test_a_mark_far_out_does_not_squeeze_the_others():
    rows = {"base": BASE, "a": (56.2, 56.4, 55.8), "b": (55.9, 56.7, 55.8), "far": (40.0, 40.1, 40.2)}
    found = compare("set", toy_set(*rows), lines(**rows))
    assert reach([row for row in found.rows if not row.is_reference], "linear") < 5
    assert render(figure_of(found).draw, LIGHT)
    assert reach([], "linear") >= 0.5


def test_curves_are_of_what_their_rows_cost():
    found = curves()
    shown = points(found.rows, "baseline", "knn")
    assert [x for x, _ in shown] == [2.0, 4.0] and [row.row.name for _, row in shown] == [
        "baseline, 8.5 epochs",
        "baseline, 17 epochs",
    ]
    assert [x for x, _ in points(found.rows, "SDR", "linear")] == [2.1]  # the other was not measured
    assert curve_of(full().rows[0]) is None and "SDR, 8.5 epochs 58.17 and 52.17 %" in figure_of(found).alt


def test_the_number_of_subnets_is_in_the_name():
    assert [number_of(row) for row in subnets().rows] == [1, 4, 16]
    assert number_of(full().rows[0]) is None


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_in_a_browser(tmp_path):
    write_experiments([full(), parts(), subnets()], tmp_path)
    try:
        browser = Browser(tmp_path / "profile")
    except (NoAnswer, BrokenPipeError) as error:
        pytest.skip(f"Chromium is installed and does not start: {error}")
    try:
        for width in (390, 1280):
            for dark in (False, True):
                browser.open(tmp_path / "index.html", width, dark)
                assert browser.errors() == [] and len(browser.requests()) == 1
                assert browser.evaluate("document.documentElement.scrollWidth") <= width
        names = "[...document.querySelectorAll('#table-rows tbody th')].map(th => th.dataset.value)"
        browser.click('#table-rows th[data-column="2"] button')
        assert browser.evaluate(names) == [
            "ours",
            "worse",
            "base",
        ]  # the reference has no difference and sorts last
        browser.click('#table-rows th[data-column="0"] button')
        assert browser.evaluate(names) == ["base", "ours", "worse"]
    finally:
        browser.close()


def test_a_page_is_well_formed_without_pictures():
    Page(experiments_page([full(), parts(), subnets()], {}))
