"""Lines and words of n2p2's files, and what is said where they are not what they should be."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_LONGEST_QUOTE = 60
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[0-9]{1,9}")


class N2p2TextError(ValueError):
    """Something in a file is not what it should be; the message begins with the file and the line."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        super().__init__(f"{file}{'' if line is None else f' line {line}'}: {problem}")


class Line(NamedTuple):
    """The words of a line that says something.

    Attributes:
        file: Its name.
        number: From 1.
        words: Without comments.
    """

    file: str
    number: int
    words: list[str]

    def error(self, problem: str) -> N2p2TextError:
        """Return an error that names this line."""
        return N2p2TextError(self.file, self.number, problem)

    def expected(self, what: str) -> N2p2TextError:
        """Return the error that the line should have been something else."""
        return self.error(f"expected {what}, got `{_quoted(' '.join(self.words))}`")

    def numbers(self, first: int, what: str) -> list[float]:
        """Return the words from a place on as finite numbers; `what` tells what the line should be."""
        values = [finite(word) for word in self.words[first:]]
        numbers = [value for value in values if value is not None]
        if len(numbers) < len(values):
            raise self.expected(what)
        return numbers


def lines_of(file: str, content: bytes, comments: str) -> list[Line]:
    """Return the lines of a file that say something.

    Args:
        file: Its name.
        content: Of the file.
        comments: Letters from which on a line is a comment.
    """
    lines = []
    for number, line in enumerate(content.decode(errors="replace").split("\n"), start=1):
        words = re.split(f"[{comments}]", line, maxsplit=1)[0].split()
        if words:
            lines.append(Line(file, number, words))
    return lines


def finite(word: str) -> float | None:
    """Return the number that a word is; None where it is none, or not finite."""
    number = float(word) if _NUMBER.fullmatch(word) else math.nan
    return number if math.isfinite(number) else None


def integer(word: str) -> int | None:
    """Return the natural number that a word is; None where it is none."""
    return int(word) if _INTEGER.fullmatch(word) else None


def _quoted(text: str) -> str:
    """Return what can be shown of a line."""
    shown = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:_LONGEST_QUOTE])
    return shown + "..." if len(text) > _LONGEST_QUOTE else shown
