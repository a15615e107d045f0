"""Numbers as people read them."""

_SPACE = "\u202f"  # thin, does not break


def count(value: int | None) -> str:
    """`1 223 448`; a dash for what is not known."""
    return "–" if value is None else f"{value:,}".replace(",", _SPACE)


def decimal(value: float | None, digits: int = 2) -> str:
    """`2 056.26`; a dash for what is not known."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", _SPACE)


def duration(seconds: float | None) -> str:
    """`0.4 s`, `51 s`, `2 min 31 s`, `3 h 05 min`; a dash for what is not known."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def macs_unit(macs: int) -> tuple[float, str]:
    """The unit in which multiply-adds of this size are read: `(1e6, "M")` or `(1e9, "G")`."""
    return (1e9, "G") if macs >= 1e9 else (1e6, "M")
