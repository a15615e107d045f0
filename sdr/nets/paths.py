"""Which path through the groups a sub-net takes (paper, section 4.2: each D_i is mapped to a path in advance)."""

from sdr.base.errors import UserError

N_STAGES = 4  # of timm's ResNet


def path_of(subnet: int, groups: int) -> tuple[int, ...]:
    """Return the group that sub-net `subnet` uses in each stage: its digits in base `groups`, last stage fastest.

    So the first `groups` sub-nets differ in the last stage alone, the first `groups²` in the last two, and so
    on: the order in which progressive training adds them (paper, Fig. 3).
    """
    digits = []
    for _ in range(N_STAGES):
        subnet, digit = divmod(subnet, groups)
        digits.append(digit)
    return tuple(reversed(digits))


def subnet_of(path: tuple[int, ...], groups: int) -> int:
    """The sub-net of a path: `path_of` backwards."""
    number = 0
    for digit in path:
        number = number * groups + digit
    return number


def check_n_subnets(n_subnets: int, n_paths: int) -> None:
    """Raise UserError unless `1 ≤ n_subnets ≤ n_paths`."""
    if not 1 <= n_subnets <= n_paths:
        raise UserError(
            f"params.yaml: n_subnets is {n_subnets}, but this backbone has groups^stages = {n_paths} paths: "
            f"choose 1 to {n_paths}, or raise backbone.groups"
        )


def tree_macs(parts: list[int], groups: int, n: int) -> int:
    """Multiply-adds of one image through the first `n` sub-nets, each common prefix of their paths once.

    Sub-net i takes the digits of i in base `groups`, so the first n have ⌈n / groups^(stages − l)⌉ prefixes of length l.
    """
    prefixes = [-(-n // groups ** (N_STAGES - length)) for length in range(N_STAGES + 1)]
    return sum(number * macs for number, macs in zip(prefixes, parts, strict=True))
