"""Hold the source files under `deps` in dvc.yaml against the real imports, of which DVC knows nothing.

python -m tools.stage_deps            lists what is missing or too much; exit status 1 if anything is
python -m tools.stage_deps --write    rewrites the lists, keeping comments and the rest of dvc.yaml
"""

import argparse
import re
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from tools.closure import PACKAGES, closure

DVC_YAML = Path("dvc.yaml")
PROGRAM = re.compile(r"-m stages\.(\w+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="rewrite the lists")
    write = parser.parse_args().write
    yaml = _yaml()
    pipeline = yaml.load(DVC_YAML.read_text())
    wrong = False
    for name, stage, needed in stages(pipeline):
        declared = [dep for dep in stage["deps"] if _is_source(dep)]
        missing, extra = sorted(set(needed) - set(declared)), sorted(set(declared) - set(needed))
        if missing or extra:
            wrong = True
            print("\n".join([f"{name}:", *(f"  + {file}" for file in missing), *(f"  - {file}" for file in extra)]))
            _replace(stage["deps"], needed)
    if wrong and write:
        with DVC_YAML.open("w") as file:
            yaml.dump(pipeline, file)
        print("dvc.yaml: rewritten")
    elif wrong:
        sys.exit("error: dvc.yaml and the imports differ; run `python -m tools.stage_deps --write`")


def stages(pipeline: MutableMapping[str, Any], root: Path = Path()) -> Iterator[tuple[str, MutableMapping, list[str]]]:
    """Yield name, definition and needed files of each stage (group) that runs a program of ours."""
    for name, stage in pipeline["stages"].items():
        stage = stage.get("do", stage)
        if match := PROGRAM.search(stage["cmd"]):
            yield name, stage, closure(Path("stages", f"{match[1]}.py"), root)


def _replace(deps: list[str], needed: list[str]) -> None:
    """Put the needed files after the artifacts, in place, so that comments on the artifacts stay."""
    for index in reversed(range(len(deps))):
        if _is_source(deps[index]):
            del deps[index]
    deps.extend(needed)


def _is_source(dep: str) -> bool:
    return dep.split("/")[0] in PACKAGES


def _yaml():
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


if __name__ == "__main__":
    main()
