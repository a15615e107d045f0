"""What a search has found so far, kept beside the pipeline: an interrupted search goes on from there."""

import contextlib
import json
import shutil
from typing import Any

from sdr.base.outputs import scratch, write_json
from sdr.base.ranks import from_first, rank


class Progress:
    """What is known of the parts of one search, in a folder of the scratch folder, until `remove`.

    Args:
        name: a fingerprint of all that the search depends on; "" keeps nothing.

    Attributes:
        folder: of this search alone; states of trainings may lie there too.
    """

    def __init__(self, name: str):
        self.name, self.folder = name, scratch() / "searches" / name
        self._file = self.folder / "progress.json"
        self._found: dict[str, Any] = {}
        if self.name and rank() == 0:
            try:
                self._found = json.loads(self._file.read_text())
            except FileNotFoundError:
                pass
            except ValueError:
                print(f"{self._file}: not readable; the search starts anew")
        self._found = from_first(self._found)  # the others might read it later, when it holds more

    def get(self, part: str) -> Any:
        """What was kept of a part; None if nothing was."""
        return self._found.get(part)

    def put(self, part: str, found: Any) -> None:
        """Keep what was found, of what JSON can hold, on disk at once."""
        self._found[part] = found
        if self.name:
            write_json(self._file, self._found)

    def remove(self) -> None:
        """Forget it all: what came of the search is safe. Folders that this leaves empty go too."""
        self._found = {}
        if not self.name:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder.parent, self.folder.parent.parent):
            with contextlib.suppress(OSError):  # not empty, or not there
                folder.rmdir()
