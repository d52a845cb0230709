"""Grades, limits, and the verdict on all sections."""

from __future__ import annotations

import numpy as np
import pytest

from pwmlff.report import limits
from pwmlff.report.run import overall
from pwmlff.report.section import Section
from pwmlff.report.verdict import Grade, Limit, no_worse_than, worst


def test_a_limit_belongs_to_the_better_grade() -> None:
    limit = Limit("x", 1.0, 2.0, "", "")
    values = [0.0, 1.0, 1.5, 2.0, 2.1, np.inf, np.nan]
    grades = [limit.grade(value).value for value in values]
    assert grades == ["green", "green", "amber", "amber", "red", "red", "red"]


def test_order_of_grades() -> None:
    assert worst([]) is Grade.GREY
    assert worst([Grade.GREY, Grade.GREEN]) is Grade.GREEN
    assert worst([Grade.RED, Grade.AMBER, Grade.GREEN]) is Grade.RED
    assert no_worse_than(Grade.RED, Grade.AMBER) is Grade.AMBER
    assert no_worse_than(Grade.GREEN, Grade.AMBER) is Grade.GREEN


def test_limits_are_in_order_and_say_why() -> None:
    rows = [value for value in vars(limits).values() if isinstance(value, Limit)]
    assert len(rows) > 10
    for row in rows:
        assert row.amber < row.red
        assert row.why.endswith(".")


def sections(**grades: Grade) -> list[Section]:
    made = []
    for key, grade in grades.items():
        section = Section(key, key.capitalize())
        section.find(grade, "words")
        made.append(section)
    return made


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ({"errors": Grade.GREEN, "stability": Grade.GREEN, "phonons": Grade.GREY}, Grade.GREEN),
        ({"errors": Grade.GREEN, "stability": Grade.GREY}, Grade.AMBER),
        ({"errors": Grade.AMBER, "stability": Grade.GREEN}, Grade.AMBER),
        ({"errors": Grade.GREEN, "stability": Grade.RED}, Grade.RED),
    ],
)
def test_overall(grades: dict[str, Grade], expected: Grade) -> None:
    verdict = overall(sections(**grades))
    assert verdict.grade is expected
    bad = [key for key, grade in grades.items() if grade is expected and expected is not Grade.GREEN]
    assert all(key in verdict.words for key in bad)
    if Grade.GREY in grades.values() and expected is Grade.GREEN:
        assert "Not checked: phonons" in verdict.words
