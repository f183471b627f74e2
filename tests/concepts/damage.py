"""Ways to damage a good file, byte by byte and as people damage files; each takes a seed."""

import random
import re

VALUES = [
    "null", "[]", "{}", "[1, 2]", '["a", null]', '{"a": "b"}', '"\\ud800"', '"\\udfff x"', "NaN",
    "-Infinity", "1e999", "9" * 5000, "9" * 400, "-0.0", "true", '""', '"  "', '"\\u0000"',
    "[" * 3000 + "]" * 3000, "[" * 40 + "]" * 40, '{"a": ' * 2000 + "1" + "}" * 2000, "1" * 30,
]  # fmt: skip
CELLS = [
    "", " ", '"', '""', '"a', 'a"b', '"a" b', "\x00", "\u2028", "\x85", "\x0b", "\r", "\t", ",",
    "nan", "NA", "None", "1e5", "9" * 5000, "x" * 200_000, "\ufffd", "\ufeff", "é", "😀", "|", ";",
    "de_DE.UTF-8", "zzz_Latn", "qaa_Latn", "-1", "0", "٣", "²", "#", "\\", "\x1a", "\u202e",
]  # fmt: skip
ENCODINGS = [
    "latin-1",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "cp1251",
    "shift_jis",
    "utf-8-sig",
    "utf-7",
]


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data or b" ")
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] = rng.choice([0, 9, 10, 13, 34, rng.randrange(256)])
    return bytes(changed)


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    fresh = rng.choice([rng.randbytes(rng.randrange(1, 9)), rng.choice(CELLS).encode()])
    return data[:at] + fresh + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice([1, 1, 2, 40]) :]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def recode(data: bytes, rng: random.Random) -> bytes:
    """All of the file, or one line, in another encoding."""
    encoding = rng.choice(ENCODINGS)
    lines = data.split(b"\n")
    which = range(len(lines)) if rng.random() < 0.5 else [rng.randrange(len(lines))]
    text = data.decode("utf-8", "replace")
    if len(which) == len(lines):
        return text.encode(encoding, "replace")
    for at in which:
        lines[at] = lines[at].decode("utf-8", "replace").encode(encoding, "replace")
    return b"\n".join(lines)


def shuffle_lines(data: bytes, rng: random.Random) -> bytes:
    """Lines swapped, doubled, lost or emptied."""
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    elif kind == 2:
        del lines[at]
    else:
        lines[at] = rng.choice([b"", b" ", b"\r", b"{}", b"[]", b"#", b"\xef\xbb\xbf"])
    return b"\n".join(lines)


def break_cells(data: bytes, rng: random.Random) -> bytes:
    """Cells of one line swapped, replaced, lost or added."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    at = rng.randrange(len(lines))
    delimiter = rng.choice("\t,") if "\t" in lines[at] else ","
    cells = lines[at].split(delimiter)
    one, other = rng.randrange(len(cells)), rng.randrange(len(cells))
    kind = rng.randrange(4)
    if kind == 0:
        cells[one], cells[other] = cells[other], cells[one]
    elif kind == 1:
        cells[one] = rng.choice(CELLS)
    elif kind == 2:
        del cells[one]
    else:
        cells.insert(one, rng.choice(CELLS))
    lines[at] = delimiter.join(cells)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def break_values(data: bytes, rng: random.Random) -> bytes:
    """A JSON value replaced by one of another kind, or a key doubled."""
    text = data.decode("utf-8", "surrogateescape")
    found = list(re.finditer(r'"[^"\n]*"|\[[^\[\]]*\]', text))
    if not found:
        return insert(data, rng)
    value = rng.choice(found)
    fresh = rng.choice([*VALUES, f"{value.group()}: {value.group()}, {value.group()}"])
    changed = text[: value.start()] + fresh + text[value.end() :]
    return changed.encode("utf-8", "surrogateescape")


DAMAGES = [flip, insert, delete, truncate, recode, shuffle_lines, break_cells, break_values]
