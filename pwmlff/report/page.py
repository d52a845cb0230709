"""The page: one HTML file that asks for nothing else, and is well-formed XML too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from pwmlff.errors import printable
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.verdict import Finding, Grade, Limit

_WORDS = {Grade.GREEN: "green", Grade.AMBER: "amber", Grade.RED: "red", Grade.GREY: "not checked"}


def render(title: str, facts: Sequence[tuple[str, str]], verdict: Finding, sections: Sequence[Section]) -> str:
    """Return the text of the page.

    Args:
        title: Of the report.
        facts: Names and values about the model and the frames.
        verdict: On all.
        sections: In order.
    """
    style = (Path(__file__).with_name("page.css")).read_text(encoding="utf-8")
    rows = "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>\n" for name, value in facts)
    links = "".join(
        f'<a href="#{section.key}"><span>{_text(section.title)}</span>{_badge(section.grade)}</a>\n'
        for section in sections
    )
    body = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<link rel="icon" href="data:," />
<title>{_text(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<div class="head"><h1>{_text(title)}</h1>{_badge(verdict.grade)}</div>
<p class="verdict {verdict.grade.value}">{_text(verdict.words)}</p>
<nav>
{links}</nav>
<div class="scroll"><table class="facts">
{rows}</table></div>
</header>
{body}
<footer>
<p>Green: nothing was found against it. Amber: look before you rely on it. Red: do not rely on it. Grey: not checked.
Each section says below its findings which numbers these are and why.</p>
</footer>
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    findings = "".join(
        f'<li class="{finding.grade.value}">{_text(finding.words)}</li>\n'
        for finding in sorted(section.findings, key=lambda finding: -finding.grade.rank)
    )
    return f"""<section id="{section.key}">
<div class="head"><h2>{_text(section.title)}</h2>{_badge(section.grade)}</div>
<p class="soft">{_text(section.about)}</p>
<ul class="findings">
{findings}</ul>
{blocks}
{_limits(section.limits)}
</section>"""


def _block(block: Table | Picture | Note) -> str:
    if isinstance(block, Note):
        return f'<p class="soft">{_text(block.text)}</p>'
    if isinstance(block, Picture):
        return f"<figure>{block.svg}<figcaption>{_text(block.caption)}</figcaption></figure>"
    caption = f"<caption>{_text(block.caption)}</caption>" if block.caption else ""
    head = "".join(f"<th>{_text(heading)}</th>" for heading in block.headings)
    rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>\n" for row in block.rows)
    return f"""<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody></table></div>"""


def _limits(rows: Sequence[Limit]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{_text(row.name)}</td><td>{row.amber:.3g} {_text(row.unit)}</td>"
        f"<td>{row.red:.3g} {_text(row.unit)}</td><td>{_text(row.why)}</td></tr>\n"
        for row in rows
    )
    return f"""<details><summary>What green, amber and red mean here</summary>
<div class="scroll"><table class="limits"><thead><tr><th></th><th>green up to</th><th>amber up to</th><th>why</th></tr>
</thead><tbody>
{cells}</tbody></table></div></details>"""


def _badge(grade: Grade) -> str:
    return f'<span class="badge {grade.value}">{_WORDS[grade]}</span>'


def _text(text: str) -> str:
    """Return a text of others as text of the page: no markup, no control characters."""
    return escape(printable(text))
