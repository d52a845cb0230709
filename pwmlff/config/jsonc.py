"""Reading JSON files that may hold `//` comments, with errors that say where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pwmlff.errors import ConfigError, in_one_line

# a string is matched first, so that "http://..." stays whole
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*')


_DEEPEST = 32  # objects and lists in one another; a run file has six
_TOO_DEEP = f"more than {_DEEPEST} brackets in one another; a run file needs six"
_LONGEST_INTEGER = 40  # digits
_LONGEST_QUOTE = 200  # characters of the file in a message


class _DuplicateKeyError(Exception):
    """Two members of one object have the same name."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file; `//` to the end of a line is a comment.

    Raises:
        ConfigError: The file cannot be read, is no JSON (with line and column), gives a key twice, or is no object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}' is no text file, expected a JSON file in UTF-8 (byte {error.start})") from error
    return parse_json(text, str(path))


def parse_json(text: str, where: str) -> dict[str, Any]:
    """Parse the text of a JSON object; `where` names it in errors. See `read_json`."""
    try:
        value = json.loads(
            _blank_comments(text),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
        _check_values(value)
    except json.JSONDecodeError as error:
        line = (text.splitlines() + [""])[error.lineno - 1].strip()
        raise ConfigError(
            f"'{where}' is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; "
            f"the line reads: {in_one_line(line, _LONGEST_QUOTE)}"
        ) from error
    except _DuplicateKeyError as error:
        key = str(error)
        pattern = re.compile(rf"{re.escape(json.dumps(key))}\s*:")
        lines = [str(number) for number, line in enumerate(text.splitlines(), start=1) if pattern.search(line)]
        raise ConfigError(
            f"'{where}' gives the key '{in_one_line(key, _LONGEST_QUOTE)}' twice in one section "
            f"(it is on lines {', '.join(lines)}); keep one"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"'{where}': {_TOO_DEEP}") from error
    except ValueError as error:
        raise ConfigError(f"'{where}': {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"'{where}' holds a JSON {type(value).__name__}, expected an object: {{ ... }}")
    return value


def _blank_comments(text: str) -> str:
    """Replace comments by blanks, so that lines and columns stay where they are."""
    return _STRING_OR_COMMENT.sub(
        lambda match: " " * len(match[0]) if match[0].startswith("//") else match[0],
        text,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        # keys with a leading underscore are comments, which may repeat
        if key in result and not key.startswith("_"):
            raise _DuplicateKeyError(key)
        result[key] = value
    return result


def _check_values(value: Any) -> None:
    """Refuse what JSON can say and no key of a run file can mean.

    Raises:
        ValueError: Says what.
    """
    level = [value]
    for _ in range(_DEEPEST):
        level = [part for whole in level for part in _parts(whole)]
    if level:
        raise ValueError(_TOO_DEEP)


def _parts(value: Any) -> Iterator[Any]:
    """Yield keys and values of an object or list; check texts."""
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ValueError(
            f"the text {in_one_line(json.dumps(value), _LONGEST_QUOTE)} holds a character that no text can have "
            "(NUL or half a pair)"
        )


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{_shortened(digits)} is beyond the largest number; give a smaller one")
    return number


def _short_integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError(f"{_shortened(digits)} is an integer of {len(digits)} digits; no key takes one so large")
    return int(digits)


def _shortened(digits: str) -> str:
    return digits if len(digits) <= _LONGEST_INTEGER else f"{digits[:_LONGEST_INTEGER]}..."


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number; give a finite one")
