"""What `dvc repro` would run, asked of DVC's own graph in this process: no stage and no program of DVC starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import networkx
import yaml


class Graph:
    """The stages of a repository as it stands, by their names.

    Attributes:
        own: the stages whose own command, dependencies, parameters or outputs are not those of dvc.lock.

    Raises:
        dvc.exceptions.DvcException: DVC refuses dvc.yaml with these parameters.
    """

    def __init__(self, root: Path):
        from dvc.repo import Repo

        with Repo(str(root)) as repo, repo.lock:
            needs = repo.index.graph  # an edge to each stage that a stage needs
            self._needs = networkx.relabel_nodes(needs, {stage: stage.name for stage in needs})
            self.own = {stage.name for stage in needs if stage.changed()}

    def after(self, name: str) -> set[str]:
        """The stages that need this one, at any distance."""
        return networkx.ancestors(self._needs, name)

    def needs(self, *names: str) -> set[str]:
        """These stages and all that they need, at any distance, up to date or not."""
        return set(names).union(*(networkx.descendants(self._needs, name) for name in names))

    def group(self, name: str) -> set[str]:
        """The stages that the name of a `foreach` or a `matrix` stands for."""
        return {stage for stage in self._needs if stage.partition("@")[0] == name}

    def runs(self, *targets: str) -> set[str]:
        """What `dvc repro TARGETS` would run if each stage that runs changed all its outputs, and none came from the run cache."""
        changed = self.own.union(*map(self.after, self.own))
        return (
            changed & set(targets).union(*(networkx.descendants(self._needs, t) for t in targets))
            if targets
            else changed
        )


@contextmanager
def with_files(root: Path, **files: str) -> Iterator[None]:
    """These files with other texts, put back at the end."""
    before = {name: (root / name).read_bytes() for name in files}
    try:
        for name, text in files.items():
            (root / name).write_text(text)
        yield
    finally:
        for name, content in before.items():
            (root / name).write_bytes(content)


def with_params(params: dict, **changes: object) -> dict[str, str]:
    """params.yaml with changes, as `with_files` takes it."""
    return {"params.yaml": yaml.safe_dump(params | changes, sort_keys=False)}
