"""Freed memory that stays with the process: a step needs the same again at once."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # glibc's <malloc.h>


def keep_freed_memory() -> None:
    """Tell glibc's malloc to keep what is freed, up to 32 MiB a block.

    By default it hands each larger tensor back to the kernel and asks for it anew, page by page, at every step; that is a
    tenth of a step on a CPU. Elsewhere (macOS, musl) this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # glibc's greatest
        mallopt(_TOP_PAD, 64 << 20)
