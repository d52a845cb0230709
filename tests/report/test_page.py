"""The page is well-formed, holds all it needs, and shows text of others as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pwmlff.report import figures, limits
from pwmlff.report.elasticity import EquationOfStateFit
from pwmlff.report.page import render
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.verdict import Finding, Grade

VOID = {"meta", "link", "br", "img", "hr", "input"}
NAMESPACES = ("http://www.w3.org/", "http://creativecommons.org/", "http://purl.org/")


def picture() -> str:
    volumes = np.linspace(10.0, 12.0, 9)
    fit = EquationOfStateFit(volumes, (volumes - 11.0) ** 2, 11.0, 0.0, 50.0, 0.1, True, volumes)
    return figures.equations_of_state([("Cu", fit)], [volumes[2:5]])


@pytest.fixture
def page() -> str:
    section = Section("errors", "Errors", "About <b>errors</b>.", limits=[limits.FORCE])
    section.find(Grade.AMBER, "Forces of <script>alert(1)</script> & others are off.\x1b[31m")
    section.blocks += [Table(["a", "b"], [["<x>", "1 & 2"]], "caption"), Picture(picture(), "one"), Note("note")]
    other = Section("learning", "Learning curve")
    other.find(Grade.GREEN, "fine")
    other.blocks.append(Picture(picture(), "two"))
    return render("Report on <model>", [("model", "a&b")], Finding(Grade.AMBER, "Look at: errors."), [section, other])


def test_well_formed(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [value for element in root.iter() for key, value in element.items() if key.endswith("href")]
    assert all(link[1:] in ids for link in links if link.startswith("#"))


def test_html_closes_what_it_opens(page: str) -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.opened: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                self.opened.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert self.opened.pop() == tag

    reader = Reader()
    reader.feed(page)
    assert reader.opened == []


def test_self_contained(page: str) -> None:
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert all(address.startswith(("#", "data:")) for address in addresses), addresses
    others = [word for word in re.findall(r"https?://[^\s\"'<>]+", page) if not word.startswith(NAMESPACES)]
    assert others == []
    assert "@import" not in page
    assert "<script" not in page


def test_text_of_others_is_text(page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; others" in page
    assert "\x1b" not in page
    assert "Report on &lt;model&gt;" in page
