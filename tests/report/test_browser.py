"""The page in a real browser: no errors, no requests, sorting by mouse and keyboard, no side-scrolling."""

import pytest

from sdr.report.page import write_report
from sdr.report.run import read_run
from sdr.report.tables import scores
from tests.report.browser import CHROMIUM, Browser, NoAnswer
from tests.report.conftest import TASKS, write_artifacts, write_detection, write_others

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    artifacts = write_artifacts(folder, TASKS, 4)
    write_others(artifacts, TASKS, ["random", "moco"])
    write_detection(artifacts, "demo")
    run = read_run(artifacts, TASKS, 4, 0, ["random", "moco"], ["demo"])
    write_report(run, folder)
    return run, folder / "index.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    try:
        browser = Browser(tmp_path_factory.mktemp("profile"))
    except (NoAnswer, BrokenPipeError) as error:
        pytest.skip(f"Chromium is installed and does not start: {error}")
    yield browser
    browser.close()


def order(browser):
    return browser.evaluate(
        "[...document.querySelectorAll('#table-result tbody th')].map(th => th.dataset.value)"
    )


def sorted_as(browser, column):
    return browser.evaluate(f"document.querySelector('#table-result th[data-column=\"{column}\"]').ariaSort")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_errors_no_requests_no_sideways_scrolling(run, browser, width, dark):
    browser.open(run[1], width, dark)
    assert browser.errors() == []
    assert browser.requests() == [run[1].resolve().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_sorts_by_mouse(run, browser):
    browser.open(run[1], 1280)
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
    browser.open(run[1], 1280)
    for _ in range(40):
        browser.press("Tab", 9)
        if browser.evaluate("document.activeElement.closest('#table-result th')?.dataset.column") == "3":
            break
    linear = {task.name: task.networks["sdr"]["linear"] for task in run[0].tasks}
    browser.press("Enter", 13, "\r")
    assert order(browser) == sorted(TASKS, key=linear.get, reverse=True)
    browser.press(" ", 32, " ")
    assert order(browser) == sorted(TASKS, key=linear.get)
    assert browser.errors() == []


def test_the_other_tables_sort_by_what_is_seen(run, browser):
    browser.open(run[1], 1280)
    browser.click('#table-clusters th[data-column="2"] button')
    rows = "[...document.querySelectorAll('#table-clusters tbody tr')]"
    sizes = browser.evaluate(f"{rows}.map(row => Number(row.cells[2].textContent))")
    assert sizes == sorted(run[0].clusters["size"], reverse=True)
