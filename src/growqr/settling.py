"""What a process does with its memory once it has loaded what it needs."""

import ctypes
import gc


def settle() -> None:
    """Give back to the system what only loading needed; takes a tenth of a second.

    What is left lives as long as the process, so the garbage collector need not look at it any
    more: its full passes are short then, and come soon enough to hold little garbage.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library's only
    if trim is not None:
        trim(0)
