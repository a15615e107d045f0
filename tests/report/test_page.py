"""The page holds all it needs, names what it must, and survives the smallest and emptiest runs."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from PIL import Image

from sdr.report.figures import drawings
from sdr.report.page import page, write_report
from sdr.report.run import OWN, read_run
from sdr.report.style import DARK, LIGHT, render
from sdr.report.tables import mean, scores, signed
from tests.report.conftest import (
    COST,
    DOMAINS,
    TASKS,
    write_artifacts,
    write_detection,
    write_log,
    write_others,
    write_timing,
)

VOID = {"meta", "link", "img", "source", "br", "hr", "input", "col"}


class Page(HTMLParser):
    """Elements with their attributes and ancestors; raises if a tag is left open or closed by another."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), [tag for tag, _ in self._open], self._open[-1:]))
        if tag not in VOID:
            self._open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes, *_ in self.elements if tag == name]


def report(folder, tasks, n_subnets, compare=(), detection=(), log=None):
    artifacts = write_artifacts(folder, tasks, n_subnets)
    if log:
        write_timing(artifacts)
        write_log(log)
    write_others(artifacts, tasks, compare)
    for name in detection:
        write_detection(artifacts, name)
    run = read_run(artifacts, tasks, n_subnets, 7, [*OWN, *compare], detection, ["baseline"], log=log)
    (folder / "report").mkdir()
    write_report(run, COST, folder / "report")
    return run, (folder / "report/index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    run, text = report(folder, TASKS, 16, ["random", "moco"], ["demo"], folder / "runs.csv")
    return run, text, Page(text), folder


def test_nothing_is_fetched(built):
    _, text, page, _ = built
    kinds = {"src", "href", "srcset", "data", "action"}
    addresses = [attributes[kind] for _, attributes, *_ in page.elements for kind in kinds & attributes.keys()]
    assert addresses
    links = {a["href"] for a in page.all("a") if not a["href"].startswith("#")}
    assert links == {"../report-experiments/index.html"}  # followed only when it is pressed
    assert [a for a in addresses if not a.startswith(("data:", "#")) and a not in links] == []
    assert not re.search(r"https?://|@import|url\(", text)


def test_links_lead_somewhere_and_identifiers_are_unique(built):
    page = built[2]
    names = [attributes["id"] for _, attributes, *_ in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert {a["href"] for a in page.all("a") if a["href"][0] == "#"} <= {f"#{name}" for name in names}


def test_images_are_inline_whole_and_described(built):
    images = built[2].all("img")
    assert len(images) >= 6 + 16
    for attributes in images:
        assert len(attributes["alt"]) > 20
        kind, data = re.fullmatch(r"data:image/(png|jpeg);base64,(.+)", attributes["src"]).groups()
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
            assert image.format.lower() == kind


def test_every_figure_has_a_caption_and_a_dark_version(built):
    page = built[2]
    figures = [figure for figure in page.all("figure") if figure["id"] != "dots"]
    assert {f["id"] for f in figures} == {
        f"figure-{name}" for name in ("scores", "gains", "histogram", "paths", "clusters", "training", "cost", "runs")
    }
    assert len(page.all("figcaption")) == len(figures) + 1
    assert [s["media"] for s in page.all("source")] == ["(prefers-color-scheme: dark)"] * len(figures)


def test_the_figures_for_dvc_are_those_of_the_page(built):
    _, text, _, folder = built
    files = sorted((folder / "report/figures").iterdir())
    assert [f.name for f in files] == [
        f"{name}.png" for name in ("clusters", "cost", "gains", "histogram", "paths", "runs", "scores", "training")
    ]
    for file in files:
        assert base64.b64encode(file.read_bytes()).decode() in text
        with Image.open(file) as image:
            assert image.width == 1040 and image.height > 300


def test_tasks_scores_and_domains_are_named(built):
    run, _, page, _ = built
    for task in run.tasks:
        assert page.text.count(task.name) >= 3
        assert signed(scores(task)["linear"]["gain"]) in page.text
        assert f"{task.networks['sdr']['linear']:.2f}" in page.text
    total = mean([scores(task) for task in run.tasks])
    assert signed(total["linear"]["gain"]) in page.text and signed(total["knn"]["gain"]) in page.text
    for domain in DOMAINS:
        assert domain in page.text
    assert "16–32–64–128" in page.text and "28–56–112–224" in page.text


def test_sort_headings_are_buttons_in_headings_with_aria_sort(built):
    page = built[2]
    parents = [parent for tag, _, _, parent in page.elements if tag == "button"]
    assert len(parents) == 12 + 5 + 10 + 6 + 10 + 5 + 5
    for ((tag, attributes),) in parents:
        assert tag == "th"
        assert attributes["aria-sort"] in ("none", "ascending", "descending")
        assert attributes["scope"] == "col"


def test_drawing_again_gives_the_same_bytes(built):
    run, _, _, folder = built
    again = render(drawings(run, COST)["gains"].draw, LIGHT)
    assert again == (folder / "report/figures/gains.png").read_bytes()
    assert again != render(drawings(run, COST)["gains"].draw, DARK)


def test_text_from_files_is_escaped(tmp_path):
    run = read_run(write_artifacts(tmp_path, ["kinds"], 2), ["kinds"], 2, 0)
    run.tasks[0].meta["raw_knn"] = None  # as with several labels an image
    run.data["source"] = "<script>alert(1)</script>"
    drawn = Page(page(run, COST, pictures={}))
    assert len(drawn.all("script")) == 1
    assert "<script>alert(1)</script>" in drawn.text


def test_one_subnet(tmp_path):
    _, text = report(tmp_path, ["kinds"], 1)
    names = {f["id"] for f in Page(text).all("figure")}
    assert names == {f"figure-{name}" for name in ("scores", "gains", "clusters", "training", "cost")}
    assert "With one sub-net there is nothing to choose" in text


def test_no_task(tmp_path):
    _, text = report(tmp_path, [], 3)
    page = Page(text)
    assert {f["id"] for f in page.all("figure")} == {"figure-clusters", "figure-training", "figure-cost"}
    assert "nothing was evaluated" in " ".join(page.text.split())
    assert {a["href"] for a in page.all("a") if a["href"][0] == "#"} == {
        "#clusters",
        "#training",
        "#cost",
        "#runs",
        "#parameters",
    }


def test_an_empty_cluster_has_no_pictures(tmp_path):
    artifacts = write_artifacts(tmp_path, [], 2)
    (artifacts / "clusters/clusters.csv").write_text("cluster,size,purity,domain\n0,10,0.5,faces\n1,0,,\n")
    (artifacts / "clusters/samples/cluster_001.png").unlink()
    drawn = Page(page(read_run(artifacts, [], 2, 0), COST, pictures={}))
    assert [i["alt"] for i in drawn.all("img") if i.get("class") == "sheet"] == [
        "Random images of cluster 0, mostly faces"
    ]
    assert "empty" in drawn.text


def test_other_backbones_and_detection_are_told(built):
    _, text, page, _ = built
    table = text[text.index('id="table-beside"') :]
    body, foot = (part.partition("</tbody>")[0] for part in table[: table.index("</table>")].split("<tfoot>"))
    rows = [" ".join(re.sub("<.*?>", " ", f"<{row}").split()) for row in body.split("<tr")[2:]]
    assert len(rows) == 5 * len(TASKS) and rows[3].startswith(f"{TASKS[0]} random")
    assert rows[3].endswith("40.00 38.0–42.0 30.00") and rows[4].endswith("41.00 39.0–43.0 31.00")
    assert re.findall(r"<td>(random|moco)</td>", foot) == ["random", "moco"]
    section = text[text.index('<details class="section" id="detection">') :]
    assert all(word in section for word in ("30.50", "61.00", "24.00", "240 iterations", "would take 1280"))
    assert "ap 80" in section and "20.25" in section


def test_without_them_there_is_no_such_section(tmp_path):
    text = page(read_run(write_artifacts(tmp_path, ["kinds"], 2), ["kinds"], 2, 0), COST, pictures={})
    assert "Other backbones" not in text and "detection" not in text.lower()


def section(text, name):
    """The text of a section, spaces made one."""
    found = text[text.index(f'<details class="section" id="{name}">') : text.index("</main>")]
    return " ".join(Page(found.partition('\n<details class="section"')[0]).text.split())


def test_costs_are_counted_and_measured(built):
    told = section(built[1], "cost")
    assert "baseline 309 216 600 10.00 1.00 2 min 31 s 595 25 – cpu" in told
    assert "SDR 812 744 900 16.00 1.60 4 min 04 s 1 369 3 512 4 × cuda" in told
    assert "computes 1.89 times and a sub-net with its teacher 1.31 times" in told
    assert "50 % of the steps, so that SDR computes 1.60 times" in told
    for row in ("1 8.00 8.00 100.0 1.00", "4 32.00 12.00 37.5 1.60", "16this run 128.00 34.00 26.6 1.60"):
        assert row in told


def test_times_are_left_out_where_nothing_was_measured(tmp_path):
    run = read_run(write_artifacts(tmp_path, [], 2), [], 2, 0)
    told = section(page(run, COST, pictures={}), "cost")
    assert "SDR 812 744 900 16.00 1.60 SDR trains" in told
    assert not any(word in told for word in ("Time is", "images/s", "memory, MiB"))


def test_what_ran_when(built):
    run, text, _, _ = built
    told = section(text, "runs")
    assert "7 stages" in told
    assert "route@kinds 2026-03-02 09:04:00 9.0 ok routing" in told
    assert "train_sdr 2026-03-02 09:00:00 200.0 ok training" in told and "interrupted" not in told
    assert "evaluate_routed@kinds 2026-03-02 09:05:00 3.0 failed evaluation" in told
    assert "gone" not in told
    assert "prepare_task 10 s; pretrain 2 min 00 s" in drawings(run, COST)["runs"].alt


def test_without_a_log_nothing_is_known_to_have_run(tmp_path):
    run = read_run(write_artifacts(tmp_path, [], 2), [], 2, 0, log=tmp_path / "runs.csv")
    assert "No stage is known to have run here" in section(page(run, COST, pictures={}), "runs")
    assert "runs" not in drawings(run, COST)


def test_byol_is_named_with_its_own_loss(tmp_path):
    run = read_run(write_artifacts(tmp_path, ["kinds"], 2), ["kinds"], 2, 0)
    run.sdrnet["method"] = "byol"
    assert "a BYOL baseline" in page(run, COST, pictures={})
    assert "squared distance" in drawings(run, COST)["training"].draw(LIGHT).axes[0].get_title()


def test_what_the_probe_saw_is_drawn_and_without_it_nothing(tmp_path):
    artifacts = write_artifacts(tmp_path, ["kinds"], 2)
    drawing = drawings(read_run(artifacts, ["kinds"], 2, 0), COST)["training"]
    titles = [axes.get_title() for axes in drawing.draw(LIGHT).axes]
    assert titles[2:] == ["Effective rank of the projections", "kNN, % (shapes)"] and "RankMe" in drawing.caption
    for folder in ("baseline", "sdrnet"):
        (artifacts / folder / "probe.csv").write_text("step,phase,network,rank\n")
    drawing = drawings(read_run(artifacts, ["kinds"], 2, 0), COST)["training"]
    assert len(drawing.draw(LIGHT).axes) == 2 and "RankMe" not in drawing.caption


def top(run):
    """The text above what is folded."""
    text = page(run, COST, pictures={})
    return " ".join(re.sub("<.*?>", " ", text[text.index("<body>") : text.index('<details class="section"')]).split())


def test_what_to_take_is_told_for_a_sub_net_and_for_the_baseline(tmp_path):
    artifacts = write_artifacts(tmp_path, TASKS[:2], 4)
    file = artifacts / f"route/{TASKS[1]}/route.json"
    baseline = {"name": "baseline, statistics of all images", "network": "baseline", "subnet": None, "path": None}
    changes = {"choice": baseline, "recommended": baseline, "gain": None, "verdict": "no evidence: take the baseline"}
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    run = read_run(artifacts, TASKS[:2], 4, 0)
    told = top(run)
    assert "promised +1.50 (+0.50 to +2.50)" in told and run.tasks[0].route["recommended"]["name"] in told
    assert "no evidence: take the baseline too few images" in told and "baseline, statistics of all images" in told
    assert [f"local-dir:artifacts/route/{name}/recommended" in told for name in TASKS[:2]] == [True, True]
    assert run.tasks[1].subnet is None  # no cluster is shown for it
    taken = section(page(run, COST, pictures={}), "clusters")
    assert TASKS[1] not in taken


def test_a_task_below_raw_pixels_is_flagged(tmp_path):
    artifacts = write_artifacts(tmp_path, TASKS[:2], 4)
    file = artifacts / f"tasks/{TASKS[0]}/meta.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"raw_knn": 99.5}))
    assert top(read_run(artifacts, TASKS[:2], 4, 0)).count("below raw pixels (kNN)") == 1


def test_a_w0_that_was_never_trained_is_nowhere_scored(tmp_path):
    artifacts = write_artifacts(tmp_path, TASKS[:2], 4)
    shutil.rmtree(artifacts / "eval/w0")
    config = artifacts / "sdrnet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"w0_trained": False}))
    run = read_run(artifacts, TASKS[:2], 4, 0, ["baseline"])
    (tmp_path / "report").mkdir()
    write_report(run, COST, tmp_path / "report")
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "<sub>0</sub>" not in section(text, "result") and "W_0 +" not in text and "W_0 −" not in text
    assert "nan" not in section(text, "routing").lower()


def test_a_gain_is_marked_only_where_its_interval_is_above_zero(tmp_path):
    artifacts = write_artifacts(tmp_path, TASKS[:2], 4)
    for name, lead in zip(TASKS, (3.0, 9.0), strict=False):  # intervals reach about 3.5 points down
        base = json.loads((artifacts / f"eval/baseline/{name}.json").read_text())["networks"]["baseline"]
        file = artifacts / f"eval/sdr/{name}.json"
        found = json.loads(file.read_text())
        interval = [end + lead for end in base["linear_interval"]]
        found["networks"]["sdr"] |= {"linear": base["linear"] + lead, "linear_interval": interval}
        file.write_text(json.dumps(found))
    text = page(read_run(artifacts, TASKS[:2], 4, 0), COST, pictures={})
    assert re.findall(r'class="number gain up"[^>]*>([^<]*)<', text) == ["+9.00"]
