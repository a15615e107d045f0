"""What DVC's run cache tells apart: every change of a parameter, so that no results of another value come back."""

import copy
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest
import yaml

from sdr.base.params import NOT_IN_RUN_CACHE
from tests.dvc.conftest import Repo, ran

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "profiles").glob("*.yaml"))]
SETS = sorted((ROOT / "experiments").glob("*.yaml"))


def leaves(value: object, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value that is no mapping and no list, with its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield path, value
    else:
        for key, entry in inner:
            yield from leaves(entry, *path, key)


def numbers(params: dict) -> list[tuple[str | int, ...]]:
    return [path for path, value in leaves(params) if isinstance(value, int | float) and not isinstance(value, bool)]


def changed(params: dict, path: tuple[str | int, ...]) -> dict:
    params = copy.deepcopy(params)
    place = reduce(lambda value, key: value[key], path[:-1], params)
    place[path[-1]] += 1
    return params


def test_the_names_left_out_are_those_that_dvc_leaves_out(monkeypatch):
    from dvc.stage import cache

    seen = []
    monkeypatch.setattr(cache, "dict_sha256", lambda _, exclude=(): seen.extend(exclude))
    cache._get_cache_hash({})
    assert sorted(seen) == sorted(NOT_IN_RUN_CACHE)


@pytest.mark.parametrize("file", [*FILES, *SETS], ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_parameter_has_a_name_that_the_run_cache_leaves_out(file):
    names = {
        part for path, _ in leaves(yaml.safe_load(file.read_text())) for key in path for part in str(key).split(".")
    }
    assert not names & set(NOT_IN_RUN_CACHE)


@pytest.fixture(scope="module")
def opened(new_repo, tmp_path_factory):
    """The project's stages, as DVC sees them; of their dependencies only the parameters ever change."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    repo = new_repo(tmp_path_factory.mktemp("keys") / "repo")
    with Repo(repo.root) as opened:
        for stage in opened.index.stages:
            for dep in stage.deps:
                if not isinstance(dep, ParamsDependency):
                    dep.hash_info = HashInfo("md5", "0" * 32)
        yield opened.index.stages, repo.params


def keys(stages: list, params: dict) -> dict[str, str]:
    """The run cache's key of every stage, by DVC's own function."""
    from dvc.dependency import ParamsDependency
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    for stage in stages:
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                dep.fill_values({name: reduce(dict.__getitem__, name.split("."), params) for name in dep.params})
    return {stage.addressing: _get_cache_hash(to_single_stage_lockfile(stage), key=True) for stage in stages}


def test_every_number_changes_the_key_of_every_stage_that_declares_it(opened):
    from dvc.dependency import ParamsDependency

    stages, params = opened
    before = keys(stages, params)
    declared = {
        stage.addressing: [name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params]
        for stage in stages
    }
    paths = numbers(params)
    assert len(paths) > 100
    for path in paths:
        name = ".".join(map(str, path))
        after = keys(stages, changed(params, path))
        readers = {stage for stage, names in declared.items() if any(f"{name}.".startswith(f"{n}.") for n in names)}
        assert readers or name == "processes", f"{name}: no stage declares it"
        assert {stage for stage in before if after[stage] != before[stage]} == readers, name


STAGE = "{cmd: cp params.yaml NAME.out, deps: [dep], params: [NAME], outs: [NAME.out]}"


def test_experiments_run_a_section_again_whose_number_changed(environment, tmp_path):
    """Real `dvc exp run`, a stage a section: its last number is changed, and back. `unseen` shows what a bad name would do."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"unseen": {NOT_IN_RUN_CACHE[0]: 8}}
    last = {path[0]: path for path in numbers(params) if all(isinstance(key, str) for key in path)}
    stages = "".join(f"  {name}: {STAGE.replace('NAME', name)}\n" for name in last)
    for file, text in {"dvc.yaml": f"stages:\n{stages}", "params.yaml": yaml.safe_dump(params), "dep": ""}.items():
        (tmp_path / file).write_text(text)
    repo = Repo(tmp_path, environment)
    repo.git("init", "--quiet")
    repo.dvc("init", "--quiet")
    repo.commit()

    assert ran(repo.dvc("exp", "run")) == set(last)
    sets = [f"--set-param={'.'.join(path)}={reduce(dict.__getitem__, path, params) + 1}" for path in last.values()]
    output = repo.dvc("exp", "run", *sets)
    assert ran(output) == set(last) - {"unseen"} and "'unseen' is cached" in output
    back = [f"--set-param={'.'.join(path)}={reduce(dict.__getitem__, path, params)}" for path in last.values()]
    output = repo.dvc("exp", "run", *back)
    assert not ran(output) and output.count("is cached") == len(last)


def test_a_parameter_set_back_restores_every_stage(repo):
    """In the project's own graph: none runs again, whether its outputs are cached or, as metrics are, kept in git."""
    before = {path: path.read_bytes() for path in repo.root.glob("metrics/*.json")}
    repo.set_params(n_subnets=2)
    assert {"cluster", "train_sdr", "report"} <= repo.repro("report")
    assert {path: path.read_bytes() for path in before} != before
    repo.set_params(n_subnets=4)
    assert not repo.repro("report")
    assert {path: path.read_bytes() for path in before} == before
