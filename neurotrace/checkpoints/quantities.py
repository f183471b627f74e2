"""Bytes and times as people read and write them."""

import re

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)


def human(n_bytes: int) -> str:
    """Bytes in the unit that reads best.

    >>> human(18_757_440)
    '18.8 MB'
    """
    size = n_bytes / 1000
    for unit in ("kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours.

    >>> duration(42), duration(600), duration(10_000)
    ('42 s', '10 min', '2.8 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def bytes_of(text: str | None) -> int | None:
    """Bytes as people write them; None for no bound.

    Raises
    ------
    ValueError
        For anything but a number and a unit.

    >>> bytes_of("1.5 GB"), bytes_of("800m")
    (1500000000, 800000000)
    """
    if text is None:
        return None
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"got cache budget {text!r}; expected bytes, such as 50GB or 800MB")
    return round(float(match[1]) * UNITS[match[2].upper()])
