"""The command `sdr`: what people do with a trained super-net, outside of the pipeline too.

A file a command: `add` says what it takes, `run` checks its arguments, which costs no import of a second, and then
calls the functions that the stages call.
"""

import argparse
import sys

from sdr.base.errors import UserError, program
from sdr.cli import adapt, embed, export, fit, init, inspect, predict, route

COMMANDS = (init, inspect, route, adapt, export, embed, fit, predict)


@program
def main() -> None:
    args = _parser().parse_args()
    try:
        args.run(args)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "sdr"):  # a bug of ours, not an environment that lacks something
            raise
        raise UserError(
            f"the package {package} is not installed for {sys.executable}: activate the environment that holds it "
            "(`. .venv/bin/activate` in a clone, which `make setup` makes), or install it"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sdr", description="Scalable Dynamic Routing: use a trained super-net.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
