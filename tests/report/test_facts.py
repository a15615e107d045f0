"""The page's words and small tables against values worked out by hand."""

from sdr.report.facts import at_edge, chosen_clusters, clusters, cost, domains, parameters, widths
from sdr.report.run import read_run


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


def test_cost_and_parameters(make_artifacts):
    run = read_run(make_artifacts([], 3), [], 3, 0)
    baseline, sdr = cost(run)
    assert baseline["parameters"] == "309\u202f216" and baseline["seconds"] == "2 min 31 s"
    assert sdr["parameters"] == "812\u202f744" and sdr["steps"] == "900" and sdr["seconds"] == "4 min 04 s"
    assert ("backbone.groups", "1", "4") in parameters(run)
    assert ("n_subnets", "–", "3") in parameters(run)


def test_a_config_that_says_nothing_is_shown_as_such(make_artifacts):
    run = read_run(make_artifacts([], 3), [], 3, 0)
    run.baseline.clear()
    assert cost(run)[0]["parameters"] == cost(run)[0]["seconds"] == cost(run)[0]["steps"] == "–"


def test_domains_largest_first_and_the_rest_summed(make_artifacts):
    run = read_run(make_artifacts([], 3), [], 3, 0)
    run.data["domains"] = {"a": 10, "b": 1500, "c": 20, "d": 30}
    run.data["duplicates_dropped"] = 12
    assert (
        domains(run, most=2) == "b 1\u202f500, d 30, and 2 more with 30 images; 12 near-duplicates left out"
    )


def test_penalties_at_the_edge_are_named(make_artifacts):
    run = read_run(make_artifacts(["kinds"], 3), ["kinds"], 3, 0)
    assert at_edge(run) == []
    run.tasks[0].networks["w0"]["penalty_at_edge"] = True
    assert at_edge(run) == ["kinds (w0)"]
