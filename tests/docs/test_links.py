"""Links between the Markdown files of the repository lead somewhere, headings and pictures included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "pwmlff/docs", "examples/*", "tests/*")
PAGES = sorted({path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.md".lstrip("/"))})
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """Return the names that GitHub, and the site likewise, gives the headings of a page."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def faults_of(page: Path) -> list[str]:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    faults = []
    for link in _LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            faults.append(f"{link}: no such file")
        elif anchor and anchor not in anchors_of(target):
            faults.append(f"{link}: no such heading")
    return faults


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    assert faults_of(page) == []


def test_every_page_is_in_the_navigation() -> None:
    index = (ROOT / "pwmlff/docs/index.md").read_text(encoding="utf-8")
    named = {line.strip() for block in _CODE.findall(index) for line in block.splitlines()}
    assert {path.stem for path in ROOT.glob("pwmlff/docs/*.md")} - named == {"index"}


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `a.b` (c)\n[a](#one-ab-c) [b](#two) [c](other.md) ![d](page.md#one-ab-c) [e](https://x.y)\n")
    assert faults_of(page) == ["#two: no such heading", "other.md: no such file"]
