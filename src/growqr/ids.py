"""Opaque ids with a type prefix, such as ``tsk_01k9…``."""

import hashlib
import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, as in ULID


def new_id(prefix: str) -> str:
    """Return a new id: `prefix`, an underscore, 26 base-32 characters.

    The first 10 characters are the time in milliseconds, so ids sort by age; the other 16
    (80 bits) are random, so ids can't be guessed. The layout is ULID's
    (https://github.com/ulid/spec).
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    digits = [_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"


def derived_id(prefix: str, *parts: str) -> str:
    """Return the id that always belongs to `parts`: same shape as `new_id`, no time in it.

    Work that may be repeated after a crash uses it, so that the repeat finds the first result.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    value = int.from_bytes(digest[:17], "big") >> 6  # 130 bits: 26 digits of 5
    digits = [_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
