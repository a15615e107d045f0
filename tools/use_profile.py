"""Merge a profile into params.yaml: `make profile P=gpu`; `make profile P=default` brings back what it was merged into.

A profile goes into the last committed params.yaml that is no profile's itself, so going from one profile to another leaves nothing of the
first behind.
"""

import argparse
import re
import subprocess
from pathlib import Path

from sdr.base.errors import UserError, program
from sdr.base.outputs import output_file
from sdr.base.profiles import merged, profile_names

PARAMS = Path("params.yaml")
DEFAULT = "default"
_MARK = re.compile(r"# Profile ([\w-]+), merged by `make profile`.*\n")


@program
def main() -> None:
    parser = argparse.ArgumentParser(prog="make profile P=NAME")
    parser.add_argument("name")
    parser.add_argument("--force", action="store_true", help="overwrite changes that are not committed")
    args = parser.parse_args()
    names = [DEFAULT, *profile_names()]
    if args.name not in names:
        raise UserError(f"no profile `{args.name}`: make profile P=({'|'.join(names)})")
    committed = committed_default()
    default = committed or own_default()
    if not args.force and holds_own_changes(committed, default):
        raise UserError("params.yaml has changes of yours that no commit holds: commit them, or add FORCE=1")
    with output_file(PARAMS) as partial:
        partial.write_text(with_profile(default, args.name), encoding="utf-8")
    print(f"params.yaml is now that of the profile {args.name}; `make repro` runs it")


def with_profile(default: str, name: str) -> str:
    """The text of params.yaml with a profile in it, marked as such in its first line."""
    if name == DEFAULT:
        return default
    mark = f"# Profile {name}, merged by `make profile`; `make profile P={DEFAULT}` brings back the default.\n"
    return mark + merged(default, name)


def committed_default(*other_marks: re.Pattern) -> str:
    """The newest committed params.yaml that no profile, or other program of these marks, made; nothing if there is none."""
    texts = (_git("show", f"{commit}:./{PARAMS}") for commit in _git("log", "--format=%H", "--", str(PARAMS)).split())
    marks = (_MARK, *other_marks)
    return next((text for text in texts if text and not any(mark.match(text) for mark in marks)), "")


def own_default() -> str:
    """The params.yaml that is here, where no commit holds one.

    Raises:
        UserError: there is none, or it is a profile's.
    """
    text = PARAMS.read_text(encoding="utf-8") if PARAMS.exists() else ""
    if not text or _MARK.match(text):
        raise UserError(
            "neither a commit nor params.yaml holds the default parameters: restore the project's own first"
        )
    return text


def holds_own_changes(committed: str, default: str) -> bool:
    """Whether overwriting params.yaml would lose something: it is neither committed nor made by this program."""
    if not PARAMS.exists():
        return False
    text = PARAMS.read_text(encoding="utf-8")
    if text in (committed, _git("show", f"HEAD:./{PARAMS}")):
        return False
    mark = _MARK.match(text)
    return not (mark and mark[1] in profile_names() and text == with_profile(default, mark[1]))


def _git(*command: str) -> str:
    """What git says; nothing where it fails, as outside of a repository."""
    return subprocess.run(["git", *command], capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
