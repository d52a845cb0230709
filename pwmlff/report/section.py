"""A section of the report: findings that make its verdict, what is shown, and numbers for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pwmlff.report.verdict import Finding, Grade, Limit, worst


@dataclass(frozen=True)
class Table:
    """Rows of texts below headings; all but the first column are aligned to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """An SVG element, with what it shows in words."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str


@dataclass
class Section:
    """What one part of the report found.

    Attributes:
        key: Its name in the JSON file.
        title: Its heading.
        about: One sentence on what is looked at.
        findings: In the order of the page.
        blocks: Tables, pictures and paragraphs.
        limits: Those its findings were held against.
        numbers: JSON values.
    """

    key: str
    title: str
    about: str = ""
    findings: list[Finding] = field(default_factory=list)
    blocks: list[Table | Picture | Note] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def find(self, grade: Grade, words: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(grade, words))

    @property
    def grade(self) -> Grade:
        """The worst of its findings."""
        return worst(finding.grade for finding in self.findings)

    @property
    def words(self) -> str:
        """The findings that made the grade, as one paragraph."""
        return " ".join(finding.words for finding in self.findings if finding.grade is self.grade)

    def as_dict(self) -> dict[str, Any]:
        """Its part of the JSON file."""
        return {
            "key": self.key,
            "title": self.title,
            "grade": self.grade.value,
            "words": self.words,
            "findings": [{"grade": f.grade.value, "words": f.words} for f in self.findings],
            "limits": [{"name": row.name, "amber": row.amber, "red": row.red, "unit": row.unit} for row in self.limits],
            "numbers": self.numbers,
        }
