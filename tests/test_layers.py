"""Imports point down the layers and never in a circle, those for type checkers and inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]

# From the bottom up; the parts of a layer on one line may import each other, but not in a circle.
LAYERS = (
    ("errors", "keys", "units", "elements", "lammps", "launch", "distributed", "device", "memory"),
    ("ops",),
    ("data",),
    ("descriptors",),
    ("models",),
    ("optim",),
    ("config",),
    ("train", "evaluate", "compress", "export", "interfaces", "plots", "info", "testing", "selection"),
    ("report",),
    ("cli",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def _modules() -> dict[str, Path]:
    """Return the files of all modules by name, without the package's own face (`__init__`, `__main__`)."""
    modules = {}
    for folder, package in ((ROOT / "pwmlff", "pwmlff"), (ROOT / "cli", "pwmlff.cli")):
        for path in folder.rglob("*.py"):
            inside = path.relative_to(folder).with_suffix("").parts
            if package == "pwmlff" and inside[0] in ("cli", "__init__", "__main__"):
                continue
            modules[".".join([package, *(name for name in inside if name != "__init__")])] = path
    return modules


def _imports(path: Path, names: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the modules among `names` that a file imports, with the lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        candidates: list[str] = []
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} line {node.lineno}: relative import"
            # a name is a module of the package, or something that the package itself holds
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            candidates = [name if name in names else node.module for name in inner]
        for name in dict.fromkeys(candidates):
            if name in names:
                yield name, node.lineno


MODULES = _modules()
IMPORTS = {name: list(_imports(path, set(MODULES))) for name, path in MODULES.items()}


def _part(module: str) -> str:
    return module.split(".")[1]


def _circle(graph: dict[str, set[str]]) -> str:
    """Return a circle of a graph as text; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " -> ".join(reversed(error.args[1]))
    return ""


def _graph(modules: set[str]) -> dict[str, set[str]]:
    return {module: {name for name, _ in IMPORTS[module]} & modules for module in modules}


def test_every_part_has_a_layer() -> None:
    assert {_part(name) for name in MODULES} == set(LEVEL)


def test_no_import_points_up() -> None:
    upward = [
        f"{MODULES[module].relative_to(ROOT)} line {line} imports {name}"
        for module, imports in IMPORTS.items()
        for name, line in imports
        if LEVEL[_part(name)] > LEVEL[_part(module)]
    ]
    assert not upward


def test_parts_are_in_no_circle() -> None:
    parts: dict[str, set[str]] = {part: set() for part in LEVEL}
    for module, imports in IMPORTS.items():
        parts[_part(module)] |= {_part(name) for name, _ in imports} - {_part(module)}
    assert not _circle(parts)


def test_modules_are_in_no_circle() -> None:
    assert not _circle(_graph(set(MODULES)))


def test_circles_are_seen() -> None:
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not _circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
