"""Make a profile's parameters the current ones: `make profile P=gpu`. Needs no installed package."""

import argparse
import subprocess
import sys
from pathlib import Path

PARAMS = Path("params.yaml")


def main() -> None:
    profiles = {path.stem: path for path in sorted(Path("profiles").glob("*.yaml"))}
    parser = argparse.ArgumentParser(prog="make profile P=NAME")
    parser.add_argument("name")
    parser.add_argument("--force", action="store_true", help="overwrite changes that are not committed")
    args = parser.parse_args()
    if args.name not in profiles:
        sys.exit(f"error: no profile '{args.name}': make profile P=({'|'.join(profiles)})")
    if not args.force and holds_own_changes(PARAMS, list(profiles.values())):
        sys.exit("error: params.yaml has changes of yours that no commit holds: commit them, or add FORCE=1")
    PARAMS.write_bytes(profiles[args.name].read_bytes())
    print(f"params.yaml is now profiles/{args.name}.yaml; `make repro` runs it")


def holds_own_changes(params: Path, profiles: list[Path]) -> bool:
    """Whether overwriting `params` would lose something: it is neither committed nor a profile."""
    if not params.exists() or any(params.read_bytes() == profile.read_bytes() for profile in profiles):
        return False
    command = ["git", "status", "--porcelain", "--ignored", "--", str(params)]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode != 0 or result.stdout != ""


if __name__ == "__main__":
    main()
