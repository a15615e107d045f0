"""What a search has found so far, kept beside the pipeline: an interrupted search goes on from there."""

import json

from sdr.base.outputs import scratch, write_json
from sdr.base.ranks import from_first, rank


class Progress:
    """Scores of finished parts of one search, in the scratch folder.

    Args:
        name: a fingerprint of all that the search depends on; None keeps nothing.
    """

    def __init__(self, name: str | None):
        self._path = None if name is None else scratch() / "route" / f"{name}.json"
        self._found: dict[str, dict] = {}
        if self._path is not None and rank() == 0 and self._path.exists():
            try:
                self._found = json.loads(self._path.read_text())
            except ValueError:
                print(f"{self._path}: not readable; the search starts anew")
        self._found = from_first(self._found)  # the others might read it later, when it holds more

    def get(self, part: str) -> dict | None:
        """What was kept of a part, if anything."""
        return self._found.get(part)

    def put(self, part: str, found: dict) -> None:
        """Keep what was found, on disk at once."""
        self._found[part] = found
        if self._path is not None:
            write_json(self._path, self._found)

    def remove(self) -> None:
        """Forget it all: the search is done. Folders that this leaves empty go too."""
        if self._path is None:
            return
        self._path.unlink(missing_ok=True)
        for folder in self._path.parents[:2]:
            try:
                folder.rmdir()
            except OSError:  # not empty, or not there
                break
