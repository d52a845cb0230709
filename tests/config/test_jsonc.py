"""JSON with comments: what is accepted, and where errors point."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwmlff.config.jsonc import parse_json, read_json
from pwmlff.errors import ConfigError


def test_comments_are_left_out_but_not_inside_text() -> None:
    text = '{  // a "comment" with { braces\n "url": "http://a//b", // again\n "quote": "\\"//", "n": 1\n} // end'
    assert parse_json(text, "f") == {"url": "http://a//b", "quote": '"//', "n": 1}


def test_syntax_error_gives_file_line_column_and_the_line() -> None:
    with pytest.raises(ConfigError, match=r"'f\.json' is no valid JSON: line 3, column 3: .*the line reads: \"b\": 2"):
        parse_json('{\n  "a": 1 // no comma\n  "b": 2\n}', "f.json")


@pytest.mark.parametrize("text", ["", "{", '{"a": ', '{"a": "unclosed}', "{'a': 1}"])
def test_broken_files_are_config_errors(text: str) -> None:
    with pytest.raises(ConfigError, match=r"'f' is no valid JSON: line 1, column \d+"):
        parse_json(text, "f")


def test_duplicate_key_is_an_error_with_its_lines() -> None:
    with pytest.raises(ConfigError, match=r"the key 'epochs' twice .*lines 2, 4"):
        parse_json('{\n"epochs": 1,\n"b": 2,\n"epochs": 3\n}', "f")


def test_same_key_in_two_sections_and_repeated_comments_are_fine() -> None:
    text = '{"a": {"x": 1}, "b": {"x": 2}, "_note": "one", "_note": "two"}'
    assert parse_json(text, "f")["b"] == {"x": 2}


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_must_be_finite(constant: str) -> None:
    with pytest.raises(ConfigError, match="is no JSON number"):
        parse_json(f'{{"a": {constant}}}', "f")


def test_the_file_must_hold_an_object() -> None:
    with pytest.raises(ConfigError, match="holds a JSON list, expected an object"):
        parse_json("[1]", "f")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read '.*none\.json': No such file"):
        read_json(tmp_path / "none.json")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\x80\x02\xff")
    with pytest.raises(ConfigError, match="is no text file"):
        read_json(binary)


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "more than 32 brackets in one another"),
        ('{"a": ' * 40 + "1" + "}" * 40, "more than 32 brackets in one another"),
        ("1e400", "1e400 is beyond the largest number; give a smaller one"),
        ("-1e999", "-1e999 is beyond the largest number"),
        ("9" * 5000, "is an integer of 5000 digits; no key takes one so large"),
        (r'"a\u0000b"', r'the text "a\u0000b" holds a character that no text can have'),
        (r'["ok", {"b\ud800": 1}]', r'the text "b\ud800" holds a character that no text can have'),
    ],
    ids=["brackets", "sections", "1e400", "-1e999", "digits", "NUL", "half a pair"],
)
def test_what_no_key_can_mean(value: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_json(f'{{"key": {value}}}', "run.json")
    assert str(error.value).startswith("'run.json': ")
    assert message in str(error.value)
    assert len(str(error.value)) < 200
