"""The page's words and small tables against values worked out by hand."""

from sdr.report.facts import at_edge, chosen_clusters, clusters, domains, parameters, trainings, widths
from sdr.report.run import read_run
from tests.report.conftest import COST, write_timing


def test_widths_are_shared_and_one_or_all_groups():
    paper = {"shared": [52, 104, 224, 376], "group": [12, 24, 56, 88], "groups": 4}
    assert widths(paper) == ("64–128–280–464", "100–200–448–728")
    assert widths({}) == ("–", "–")


def test_clusters_and_the_choice(make_artifacts):
    artifacts = make_artifacts(["kinds", "letters"], 3)
    (artifacts / "clusters/clusters.csv").write_text(
        "cluster,size,purity,domain\n0,50,0.5,faces\n1,150,0.8,digits\n2,0,,\n"
    )
    run = read_run(artifacts, ["kinds", "letters"], 3, 0)
    for task in run.tasks:
        task.route["subnet"] = 1
    rows = clusters(run)
    assert [(row["size"], row["share"], row["purity"], row["domain"]) for row in rows] == [
        (50, 25.0, 50.0, "faces"),
        (150, 75.0, 80.0, "digits"),
        (0, 0.0, 0.0, "empty"),
    ]
    assert [row["tasks"] for row in rows] == [[], ["kinds", "letters"], []]
    assert chosen_clusters(run) == [rows[1] | {"path": "0-0-0-1"}]


def test_trainings_and_parameters(make_artifacts):
    artifacts = make_artifacts([], 3)
    write_timing(artifacts)
    run = read_run(artifacts, [], 3, 0)
    baseline, sdr = trainings(run, COST)
    assert (baseline["parameters"], baseline["steps"], baseline["macs"]) == (309_216, 600, 10_000_000)
    assert (sdr["parameters"], sdr["steps"], sdr["macs"]) == (812_744, 900, 16_000_000)
    assert (baseline["measured"]["seconds"], baseline["measured"]["device"]) == (151.2, "cpu")
    assert (sdr["measured"]["seconds"], sdr["measured"]["device"]) == (243.9, "4 × cuda")
    assert ("backbone.groups", "1", "4") in parameters(run)
    assert ("n_subnets", "–", "3") in parameters(run)


def test_what_was_not_measured_is_left_out(make_artifacts):
    run = read_run(make_artifacts([], 3), [], 3, 0)
    run.baseline.clear()
    baseline, sdr = trainings(run, COST)
    assert baseline["parameters"] is baseline["steps"] is baseline["measured"] is sdr["measured"] is None


def test_one_subnet_is_trained_as_the_baseline(make_artifacts):
    run = read_run(make_artifacts([], 1), [], 1, 0)
    assert [row["macs"] for row in trainings(run, COST)] == [10_000_000, 10_000_000]


def test_domains_largest_first_and_the_rest_summed(make_artifacts):
    run = read_run(make_artifacts([], 3), [], 3, 0)
    run.data["domains"] = {"a": 10, "b": 1500, "c": 20, "d": 30}
    run.data["duplicates_dropped"] = 12
    assert domains(run, most=2) == "b 1\u202f500, d 30, and 2 more with 30 images; 12 near-duplicates left out"


def test_penalties_at_the_edge_are_named(make_artifacts):
    run = read_run(make_artifacts(["kinds"], 3), ["kinds"], 3, 0)
    assert at_edge(run) == []
    run.tasks[0].networks["w0"]["penalty_at_edge"] = True
    assert at_edge(run) == ["kinds (w0)"]
