"""Lines of text files and JSON values, read strictly: what is broken is named by file and line."""

import json
import re
import reprlib
from pathlib import Path
from typing import Any, NoReturn

MAX_DEPTH = 32  # of nested JSON: a sentence needs three
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HALF_PAIR = r"\\u[dD][89a-fA-F]"  # as JSON escapes it

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 40
_short.maxlist = _short.maxdict = 3


def shown(value: object) -> str:
    """A value for an error message: one short line, however long or deep the value is."""
    return _short.repr(value)


def path_of(given: str | Path) -> Path:
    """A path as it is given, ``~`` standing for the home folder."""
    try:
        return Path(given).expanduser()
    except RuntimeError:  # no such user: there is no such file, then
        return Path(given)


def read_lines(path: Path) -> list[str]:
    r"""Lines of a UTF-8 file without their ends, a byte order mark taken off.

    Only ``\n`` and ``\r\n`` end a line: sentences may hold other line separators.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        Naming file and line: bytes that are not UTF-8 (and whether other lines are, so that
        encodings are mixed), a NUL byte, the replacement character that a wrong decoding leaves.
    """
    if not path.is_file():
        raise FileNotFoundError(f"got {path}; expected a file")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(path.name, content, error.start)) from None
    for sign, what in (("\0", "a NUL byte"), ("\ufffd", "U+FFFD, what a wrong decoding leaves")):
        if sign in text:
            line = text.count("\n", 0, text.index(sign)) + 1
            raise ValueError(f"{path.name}: line {line}: got {what}; expected UTF-8 text")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def _not_utf8(name: str, content: bytes, offset: int) -> str:
    if content.startswith(UTF16):
        return f"{name}: got bytes that are not UTF-8 at line 1 (UTF-16?); expected UTF-8"
    before = content.count(b"\n", 0, offset)
    said = f"{name}: got bytes that are not UTF-8 at offset {offset}, line {before + 1}"
    others = [number for number, line in enumerate(content.split(b"\n"), 1) if _is_utf8(line)]
    if others:
        return f"{said}, while line {others[0]} is UTF-8: mixed encodings; expected UTF-8"
    return f"{said}; expected UTF-8"


def _is_utf8(line: bytes) -> bool:
    """Whether a line is UTF-8 and not merely ASCII, which is so in most encodings."""
    try:
        return bool(line.decode("utf-8")) and not line.isascii()
    except UnicodeDecodeError:
        return False


def json_lines(path: Path) -> dict[int, dict[str, Any]]:
    """Line number → JSON object of a JSON-lines file; blank lines are passed over.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_lines` and :func:`json_value`, and for a line that is no object.
    """
    objects = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path.name}: line {number}"
        value = json_value(line, where=where)
        if not isinstance(value, dict):
            raise ValueError(f"{where}: got {shown(value)}; expected a JSON object")
        objects[number] = value
    return objects


def json_value(text: str, *, where: str, has_lines: bool = False) -> Any:
    r"""A JSON value, stricter than :func:`json.loads`.

    Parameters
    ----------
    where
        Begins every message: the file, and the line where ``text`` is one.
    has_lines
        Whether the line of a fault is counted within ``text``.

    Raises
    ------
    ValueError
        For no JSON, a key that stands twice, NaN, more than 4,300 digits, more than 32 levels of
        nesting, an escape that is half a surrogate pair (``\ud800``).
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _refuse_depth(value)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        line = f" line {error.lineno}:" if has_lines else ""
        raise ValueError(f"{where}:{line} not JSON ({error.msg})") from None
    except RecursionError:
        raise ValueError(
            f"{where}: got JSON nested too deep; expected at most {MAX_DEPTH} levels"
        ) from None
    except UnicodeEncodeError:
        line = f" line {_last_line(HALF_PAIR, text)}:" if has_lines else ""
        raise ValueError(
            f"{where}:{line} got half a surrogate pair (\\ud800–\\udfff); expected whole characters"
        ) from None
    except _Refused as error:
        line = f" line {_last_line(error.sought, text)}:" if has_lines else ""
        raise ValueError(f"{where}:{line} not JSON ({error})") from None
    except ValueError as error:
        raise ValueError(f"{where}: not JSON ({error})") from None
    return value


class _Refused(ValueError):
    """What the parser itself would let pass, and a pattern to find it by."""

    def __init__(self, message: str, sought: str) -> None:
        super().__init__(message)
        self.sought = sought


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f"key {shown(twice)} stands twice", re.escape(json.dumps(twice)) + r"\s*:")
    return made


def _refuse_constant(constant: str) -> NoReturn:
    raise _Refused(f"{constant} is no JSON number", constant)


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for item in level for part in _parts(item)]
        if not level:
            return
    raise RecursionError


def _parts(item: object) -> list[object]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _last_line(pattern: str, text: str) -> int:
    """The last line that holds a pattern, or the first of all."""
    at = max((found.start() for found in re.finditer(pattern, text)), default=0)
    return text.count("\n", 0, at) + 1
