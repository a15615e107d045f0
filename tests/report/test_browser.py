"""The page in a real browser: no errors, no requests, sorting by mouse and keyboard, no side-scrolling."""

import pytest

from sdr.report.page import write_report
from sdr.report.run import OWN, read_run
from sdr.report.tables import scores
from tests.report.browser import CHROMIUM, Browser, NoAnswer
from tests.report.conftest import (
    COST,
    TASKS,
    write_artifacts,
    write_detection,
    write_log,
    write_others,
    write_timing,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    artifacts = write_artifacts(folder, TASKS, 4)
    write_others(artifacts, TASKS, ["random", "moco"])
    write_detection(artifacts, "demo")
    write_timing(artifacts)
    write_log(folder / "runs.csv")
    run = read_run(artifacts, TASKS, 4, 0, [*OWN, "random", "moco"], ["demo"], ["baseline"], log=folder / "runs.csv")
    write_report(run, COST, folder)
    return run, folder / "index.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    try:
        browser = Browser(tmp_path_factory.mktemp("profile"))
    except (NoAnswer, BrokenPipeError) as error:
        pytest.skip(f"Chromium is installed and does not start: {error}")
    yield browser
    browser.close()


def unfolded(browser, *where):
    """Open the page with all its sections open."""
    browser.open(*where)
    browser.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")


def order(browser):
    return browser.evaluate("[...document.querySelectorAll('#table-result tbody th')].map(th => th.dataset.value)")


def sorted_as(browser, column):
    return browser.evaluate(f"document.querySelector('#table-result th[data-column=\"{column}\"]').ariaSort")


def tab_to(browser, table, column):
    for _ in range(120):
        browser.press("Tab", 9)
        if browser.evaluate(f"document.activeElement.closest('{table} th')?.dataset.column") == str(column):
            return
    raise AssertionError(f"{table}: the keyboard does not reach column {column}")


def texts(browser, table, column):
    rows = f"[...document.querySelectorAll('{table} tbody tr')]"
    return browser.evaluate(f"{rows}.map(row => row.cells[{column}].textContent.trim())")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_errors_no_requests_no_sideways_scrolling(run, browser, width, dark):
    browser.open(run[1], width, dark)
    assert browser.errors() == []
    assert browser.requests() == [run[1].resolve().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_telephone_verdict_and_difference_are_seen_without_scrolling(run, browser, dark):
    browser.open(run[1], 390, dark)
    for part in (".verdict", ".difference"):
        box = f"document.querySelector('#table-verdicts {part}').getBoundingClientRect()"
        left, right, bottom = (browser.evaluate(f"{box}.{side}") for side in ("left", "right", "bottom"))
        assert 0 <= left < right <= 390 and bottom <= 844


def test_a_link_opens_its_section(run, browser):
    browser.open(run[1], 1280)
    assert not browser.evaluate("document.getElementById('cost').open")
    browser.click('nav a[href="#cost"]')
    assert browser.evaluate("document.getElementById('cost').open")


def test_a_dot_tells_which_sub_net_it_is_with_pictures(run, browser):
    unfolded(browser, run[1], 1280)
    dots = "document.querySelector('#dots svg').querySelectorAll('circle')"
    browser.evaluate(f"{dots}[2].dispatchEvent(new PointerEvent('pointerenter'))")
    words = browser.evaluate(f"{dots}[2].dataset.words")
    assert browser.evaluate("document.querySelector('#dot p').textContent") == words
    assert browser.evaluate("document.querySelector('#dot img').naturalWidth") > 0
    browser.evaluate("document.querySelector('#dots svg').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.evaluate("document.querySelector('#dot p').textContent") == browser.evaluate(
        f"{dots}[1].dataset.words"
    )
    assert browser.errors() == []


def test_sorts_by_mouse(run, browser):
    unfolded(browser, run[1], 1280)
    assert order(browser) == TASKS
    gains = {task.name: scores(task)["linear"]["gain"] for task in run[0].tasks}
    button = '#table-result th[data-column="4"] button'
    browser.click(button)
    assert order(browser) == sorted(TASKS, key=gains.get, reverse=True)
    assert sorted_as(browser, 4) == "descending"
    browser.click(button)
    assert order(browser) == sorted(TASKS, key=gains.get)
    assert sorted_as(browser, 4) == "ascending"
    browser.click('#table-result th[data-column="0"] button')
    assert order(browser) == sorted(TASKS)
    assert (sorted_as(browser, 0), sorted_as(browser, 4)) == ("ascending", "none")
    assert browser.evaluate("document.querySelector('#table-result tfoot th').textContent") == "mean"
    assert browser.errors() == []


def test_sorts_by_keyboard(run, browser):
    unfolded(browser, run[1], 1280)
    tab_to(browser, "#table-result", 3)
    linear = {task.name: task.networks["sdr"]["linear"] for task in run[0].tasks}
    browser.press("Enter", 13, "\r")
    assert order(browser) == sorted(TASKS, key=linear.get, reverse=True)
    browser.press(" ", 32, " ")
    assert order(browser) == sorted(TASKS, key=linear.get)
    assert browser.errors() == []


def test_the_other_tables_sort_by_what_is_seen(run, browser):
    unfolded(browser, run[1], 1280)
    browser.click('#table-clusters th[data-column="2"] button')
    rows = "[...document.querySelectorAll('#table-clusters tbody tr')]"
    sizes = browser.evaluate(f"{rows}.map(row => Number(row.cells[2].textContent))")
    assert sizes == sorted(run[0].clusters["size"], reverse=True)


def test_what_ran_when_sorts_by_mouse_and_keyboard(run, browser):
    unfolded(browser, run[1], 1280)
    started = texts(browser, "#table-runs", 1)
    assert started == sorted(started) and len(started) == 7
    browser.click('#table-runs th[data-column="2"] button')
    assert [float(text) for text in texts(browser, "#table-runs", 2)] == [200.0, 120.0, 30.5, 9.0, 6.0, 4.0, 3.0]
    unfolded(browser, run[1], 1280)
    tab_to(browser, "#table-runs", 1)
    browser.press("Enter", 13, "\r")
    assert texts(browser, "#table-runs", 1) == started[::-1]
    assert browser.errors() == []


def test_costs_sort_by_their_exact_values(run, browser):
    unfolded(browser, run[1], 1280)
    for _ in range(2):
        browser.click('#table-cost th[data-column="3"] button')
    assert texts(browser, "#table-cost", 3) == ["24.2", "26.6", "37.5", "100.0"]
    browser.click('#table-cost th[data-column="2"] button')
    assert texts(browser, "#table-cost", 2) == ["124.00", "34.00", "12.00", "8.00"]
    browser.click('#table-trainings th[data-column="6"] button')
    assert texts(browser, "#table-trainings", 0) == ["SDR", "baseline"]
    assert browser.errors() == []
