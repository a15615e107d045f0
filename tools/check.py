"""Check the whole params.yaml before anything runs: a wrong key of the last stage is told at once.

python -m tools.check

The rules import everything, which takes seconds, so what was found right is not looked at again.
"""

from sdr.base import checked
from sdr.base.errors import UserError, program


@program
def main() -> None:
    key = checked.key()
    if checked.is_known(key):
        return
    from tools.rules import unknown, wrong

    found = [*unknown(), *wrong()]
    if found:
        raise UserError("\n       ".join(found))
    checked.keep(key)


if __name__ == "__main__":
    main()
