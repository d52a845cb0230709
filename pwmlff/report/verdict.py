"""What a check says: a grade, a sentence, and the limits it was held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Grade(str, Enum):
    """Of a check, a section or a model; GREY is what was not checked."""

    GREY = "grey"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"

    @property
    def rank(self) -> int:
        """Larger is worse."""
        return list(Grade).index(self)


def worst(grades: Iterable[Grade]) -> Grade:
    """Return the worst of some grades; GREY without any."""
    return max(grades, key=lambda grade: grade.rank, default=Grade.GREY)


def no_worse_than(grade: Grade, bound: Grade) -> Grade:
    """Return a grade, or the bound where that is better."""
    return min(grade, bound, key=lambda each: each.rank)


@dataclass(frozen=True)
class Limit:
    """Where green ends and where red begins.

    Attributes:
        name: What is held against it.
        amber: Largest value that is green.
        red: Largest value that is amber.
        unit: Of both; empty for ratios.
        why: The reason for these numbers, one sentence.
    """

    name: str
    amber: float
    red: float
    unit: str
    why: str

    def grade(self, value: float) -> Grade:
        """Grade a value; what is no number is red."""
        if value <= self.amber:
            return Grade.GREEN
        return Grade.AMBER if value <= self.red else Grade.RED


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        grade: Of it.
        words: A sentence with the numbers.
    """

    grade: Grade
    words: str
