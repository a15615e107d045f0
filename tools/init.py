"""`make init IMAGES=FOLDER [TASKS=FOLDER] [PROFILE=NAME] [FORCE=1]`: from folders of pictures to parameters that suit them.

Looks at the folders and says what is wrong with them before anything runs; writes params.yaml, and where the folders lie into
local.yaml, which git does not track; and says what the run will take, from a short trial on this machine.
"""

import json
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.outputs import output_file
from sdr.base.profiles import merged, profile_names
from sdr.corpus.location import CORPUS, LOCAL, TASKS
from sdr.sources.look import Look, look
from tools.init_params import MARK, is_untouched, lean
from tools.init_start import starting_from
from tools.init_tasks import Found, find_tasks
from tools.use_profile import DEFAULT, PARAMS, committed_default, holds_own_changes, own_default

FEWEST = 32  # pictures that anything can be learnt from
FEW = 1000
MOST_UNREAD = 0.01  # share of files that are no pictures: data.max_bad_fraction


def init(
    images: Path, tasks: Path | None, profile: str, force: bool, measure: bool = True, start: str | None = None
) -> None:
    """Do it, in the root of a clone.

    Args:
        images: folder of the corpus.
        tasks: one task, or a folder of tasks.
        profile: of profiles/, or "default".
        force: overwrite files that were changed by hand.
        measure: whether to try the pipeline, which takes some seconds.
        start: the network to start from, for `pretrain.init`.

    Raises:
        UserError: the folders cannot be used, or a changed file would be overwritten; nothing is written then.
    """
    default = _default(profile, force)
    if start:
        default = starting_from(start, default)
    seen, (root, found) = look(images), find_tasks(tasks) if tasks else (None, [])
    print(f"{'pictures:':<10} {seen.in_words()}")
    for task in found:
        print(f"{'task:' if task.section == 'tasks' else 'boxes:':<10} {task.name}: {task.says}")
    if wrong := [*_wrong(seen), *(text for task in found for text in task.wrong), *_same_names(found)]:
        raise UserError("\n       ".join(wrong))
    for remark in (*_remarks(seen), *(text for task in found for text in task.remarks)):
        print(f"{'note:':<10} {remark}")
    readable = len(seen.files) * (seen.sampled - len(seen.unread)) // seen.sampled
    side = int(seen.sides[len(seen.sides) // 2])
    entries = {section: {t.name: t.spec for t in found if t.section == section} for section in ("tasks", "detection")}
    text = lean(default, readable, side, **entries)
    places = {CORPUS: images.absolute(), **({TASKS: root} if root else {})}
    local = _local(places, force)
    if measure:
        from tools.init_trial import in_words, trial

        print(f"{'trial:':<10} some steps on this machine …", flush=True)
        estimate = trial(text, seen.files, {task.name: task.n_train for task in found}, Path("."))
        print(f"{'estimate:':<10} {in_words(estimate)}")
        if estimate["disk"] > estimate["free"]:
            raise UserError(
                f"{Path('.').absolute()}: the disk has too little room for that; free some, or move the clone"
            )
    for path, content in ((PARAMS, text), (Path(LOCAL), local)):
        with output_file(path) as partial:
            partial.write_text(content, encoding="utf-8")
    print(f"{'written:':<10} {PARAMS} and {LOCAL}; next: make repro")


def _default(profile: str, force: bool) -> str:
    """The parameters to start from.

    Raises:
        UserError: no such profile, or params.yaml holds changes.
    """
    names = [DEFAULT, *profile_names()]
    if profile not in names:
        raise UserError(f"no profile `{profile}`: PROFILE=({'|'.join(names)})")
    committed = committed_default(MARK)
    default = committed or own_default()
    changed = PARAMS.exists() and not is_untouched(PARAMS.read_text(encoding="utf-8"))
    if not force and changed and holds_own_changes(committed, default):
        raise UserError(f"{PARAMS} has changes of yours that no commit holds: commit them, or add FORCE=1")
    return default if profile == DEFAULT else merged(default, profile)


def _local(places: dict[str, Path], force: bool) -> str:
    """Content of `LOCAL`.

    Raises:
        UserError: it says something else already.
    """
    lines = "".join(f"{name}: {json.dumps(str(place), ensure_ascii=False)}\n" for name, place in places.items())
    text = f"# Where this machine's pictures lie, by `make init`; an environment variable that is set wins.\n{lines}"
    file = Path(LOCAL)
    if not force and file.exists() and file.read_text(encoding="utf-8") != text:
        raise UserError(f"{file} names other folders already: remove it, or add FORCE=1")
    return text


def _wrong(seen: Look) -> list[str]:
    if not seen.files:
        return [f"{seen.folder}: no file in it; it should hold pictures, in any sub-folders"]
    if len(seen.unread) > MOST_UNREAD * seen.sampled:
        share = len(seen.unread) / seen.sampled
        return [
            f"{seen.folder}: {share:.0%} of the files are no pictures, such as {seen.unread[0]}; move them elsewhere"
        ]
    if len(seen.files) < FEWEST:
        return [f"{seen.folder}: {len(seen.files)} pictures; nothing can be learnt from fewer than {FEWEST}"]
    return []


def _remarks(seen: Look) -> list[str]:
    said = []
    if len(seen.files) < FEW:
        said.append(f"{len(seen.files):,} pictures are few: expect little of features learnt from fewer than {FEW:,}")
    if seen.copies:
        first, copy = seen.copies[0]
        said.append(f"{len(seen.copies):,} pictures are copies of others, such as {copy} of {first}")
    if seen.unread:
        said.append(f"some files are no pictures and will be left out, such as {seen.unread[0]}")
    return said


def _same_names(found: list[Found]) -> list[str]:
    names = [task.name for task in found]
    return [
        f"two task folders would both be called {name}: rename one"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
