"""A sweep: two experiments queued, one worker."""

import csv
import time


def test_two_queued_experiments_and_one_start(repo):
    repo.dvc("exp", "run", "--queue", "--set-param", "n_subnets=2,3")
    assert states(repo) == ["Queued", "Queued"]
    try:
        repo.dvc("queue", "start")
        deadline = time.monotonic() + 300
        while any(state in ("Queued", "Running") for state in states(repo)):
            assert time.monotonic() < deadline, repo.dvc("queue", "status")
            time.sleep(4)
    finally:
        repo.dvc("queue", "stop", "--kill")
    assert states(repo) == ["Success", "Success"], repo.dvc("queue", "status")
    table = list(csv.DictReader(repo.dvc("exp", "show", "--csv").splitlines()))
    found = {row["n_subnets"]: row["mean.linear.gain"] for row in table}
    assert set(found) == {"2", "3", "4"}
    assert len(set(found.values())) == 3


def states(repo) -> list[str]:
    lines = repo.dvc("queue", "status").splitlines()
    return [word for line in lines for word in line.split() if word in ("Queued", "Running", "Success", "Failed")]
