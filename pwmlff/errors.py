"""Errors a user can cause; the command line prints them as one clean line.

A message says what is wrong, what was expected, what was found, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PwmlffError(Exception):
    """Base of every error that is the input's fault, not the program's."""


class ConfigError(PwmlffError):
    """A key or value of a configuration file or command line is wrong."""


class DataFormatError(PwmlffError):
    """A data file cannot be read as what it claims to be."""


class ModelFileError(PwmlffError):
    """A checkpoint or exported model is missing, damaged, or of another version."""


class TrainingError(PwmlffError):
    """Training cannot go on, for instance because the loss is not finite."""


def printable(text: str) -> str:
    """Return a text for a terminal: what would move the cursor, change colours or hide letters is written as an escape.

    Line feeds stay; names and values that stand in a message of several lines escape their own, see `in_one_line`.
    """
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def in_one_line(text: str, longest: int = 1000) -> str:
    """Return a text that cannot pass for several lines of a message, without its middle where it is very long."""
    line = printable(text).replace("\n", r"\n")
    return line if len(line) <= longest else f"{line[: longest // 2]} ... {line[-longest // 2 :]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest choice, or all of them.

    Args:
        name: What the user wrote.
        choices: The names that exist.
    """
    choices = sorted(choices)
    lowered = {choice.lower(): choice for choice in choices}
    nearest = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if nearest:
        return f"did you mean '{lowered[nearest[0]]}'?"
    return f"choose from: {', '.join(choices)}"
