"""A report from its model: all sections one after another, then the page and the JSON file, whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

import pwmlff
from pwmlff.errors import ConfigError, PwmlffError
from pwmlff.models import name_of
from pwmlff.models.files import digest_of
from pwmlff.report.coverage import Coverage, coverage_section
from pwmlff.report.crystals import Crystal, crystals_section
from pwmlff.report.dimers import dimers_section
from pwmlff.report.errors import errors_section
from pwmlff.report.inputs import Subject, read_subject
from pwmlff.report.learning import learning_section
from pwmlff.report.page import render
from pwmlff.report.phonons import phonons_section
from pwmlff.report.residuals import Residuals, predict
from pwmlff.report.section import Section
from pwmlff.report.stability import FACTORS, FULL, QUICK, Effort, Start, choose_starts, stability_section
from pwmlff.report.verdict import Finding, Grade, worst

FORMAT_VERSION = 1  # of the JSON file
_CORE = ("errors", "stability")  # without which nothing is green

# name of a section, the part of it that is done, and the section once it is
Progress = Callable[[str, float, Section | None], None]


@dataclass(frozen=True)
class ReportOptions:
    """What a report is made with.

    Attributes:
        temperature: Of the data, K; None: what they record, or what their forces stand for.
        quick: Less of everything, for a first look.
        format: Of the data; guessed when None.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        trust: Whether code in the model's file may be run.
    """

    temperature: float | None = None
    quick: bool = False
    format: str | None = None
    device: torch.device = torch.device("cpu")
    trust: bool = False

    @property
    def most_atoms(self) -> int:
        """Of the frames looked at."""
        return 10_000 if self.quick else 60_000

    @property
    def effort(self) -> Effort:
        """Of molecular dynamics."""
        return QUICK if self.quick else FULL


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        verdict: On all.
        sections: In order.
        page: The HTML file.
        data: The JSON file.
    """

    verdict: Finding
    sections: list[Section]
    page: Path
    data: Path


def make_report(
    model: Path,
    data: Sequence[Path],
    output: Path,
    options: ReportOptions | None = None,
    *,
    train: Sequence[Path] = (),
    on_progress: Progress = lambda name, part, section: None,
) -> Report:
    """Look at a model from all sides, and write a page on it.

    Args:
        model: File of any kind.
        data: Test frames; none: the validation frames its training recorded.
        output: HTML file to write; a JSON file is written beside it.
        options: How.
        train: Training frames; none: those its training recorded.
        on_progress: Told how far a section is.

    Raises:
        ConfigError: There are no frames, or the output would replace an input.
        DataFormatError: The data cannot be read.
        ModelFileError: The model cannot be read.
    """
    options = options or ReportOptions()
    json_path = output.with_suffix(".json")
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"the output is '{output}', expected a name such as report.html")
    inputs = {path.resolve() for path in (model, *data, *train)}
    if inputs & {output.resolve(), json_path.resolve()}:
        raise ConfigError(f"'{output}' or '{json_path}' would replace an input; name another file with -o")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"no folder '{output.parent}' to write '{output.name}' into")
    subject = read_subject(
        model,
        data,
        train,
        device=options.device,
        trust=options.trust,
        format=options.format,
        most_atoms=options.most_atoms,
    )
    sections = _Sections(subject, options, on_progress).make()
    verdict = overall(sections)
    facts = _facts(subject, options)
    title = f"Report on {model.name}"
    content = _json(subject, options, verdict, sections)
    _write({output: render(title, facts, verdict, sections), json_path: content})
    return Report(verdict, sections, output, json_path)


class _Sections:
    """Makes the sections, each of which may use what those before it found."""

    def __init__(self, subject: Subject, options: ReportOptions, on_progress: Progress) -> None:
        self._subject = subject
        self._options = options
        self._progress = on_progress

    def make(self) -> list[Section]:
        """Return all sections, in the order of the page."""
        subject, quick = self._subject, self._options.quick
        train, test = self._predict()
        sections = [self._guarded("errors", "Errors", lambda say: errors_section(subject, train, test))]
        sections.append(self._guarded("learning", "Learning curve", lambda say: learning_section(subject.path)))
        predictions = test if test is not None else train
        assert predictions is not None
        starts = choose_starts(subject, predictions, self._options.effort.n_starts, self._options.temperature)
        hottest = max(FACTORS) * max((start.temperature.kelvin for start in starts), default=300.0)
        shortest: dict[tuple[int, int], float] = {}
        coverage: Coverage | None = None
        crystals: list[Crystal] = []

        def dimers(say: Callable[[float], None]) -> Section:
            section, found = dimers_section(
                subject, hottest, most_pairs=6 if quick else 12, n_frames=2 if quick else 6, on_pair=say
            )
            shortest.update(found)
            return section

        def cover(say: Callable[[float], None]) -> Section:
            nonlocal coverage
            section, coverage = coverage_section(subject, test)
            return section

        def crystal(say: Callable[[float], None]) -> Section:
            section, found = crystals_section(subject, 1 if quick else 3, 120 if quick else 200, say)
            crystals.extend(found)
            return section

        sections.append(self._guarded("dimers", "Short distances", dimers))
        sections.append(self._guarded("coverage", "Coverage", cover))
        sections.append(self._guarded("crystals", "Equation of state and elastic constants", crystal))
        sections.append(self._guarded("phonons", "Phonons", lambda say: phonons_section(crystals, say)))
        sections.append(self._guarded("stability", "Stability", self._stability(starts, shortest, lambda: coverage)))
        return sections

    def _stability(
        self, starts: list[Start], shortest: dict[tuple[int, int], float], coverage: Callable[[], Coverage | None]
    ) -> Callable[[Callable[[float], None]], Section]:
        return lambda say: stability_section(self._subject, starts, shortest, coverage(), self._options.effort, say)

    def _predict(self) -> tuple[Residuals | None, Residuals | None]:
        """Predict training and test frames."""
        subject = self._subject
        n_frames = len(subject.train) + len(subject.test)
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            self._progress("errors", done / n_frames, None)

        train = predict(subject.potential, subject.train, advance) if len(subject.train) else None
        test = predict(subject.potential, subject.test, advance) if len(subject.test) else None
        return train, test

    def _guarded(self, key: str, title: str, make: Callable[[Callable[[float], None]], Section]) -> Section:
        """Make a section; what the model cannot do is a finding, and the others go on."""
        self._progress(key, 0.0, None)
        try:
            section = make(lambda part: self._progress(key, part, None))
        except PwmlffError as error:
            section = Section(key, title)
            section.find(Grade.RED, f"This could not be computed: {error}.")
        self._progress(key, 1.0, section)
        return section


def overall(sections: Sequence[Section]) -> Finding:
    """Return the verdict on all sections."""
    grade = worst(section.grade for section in sections)
    unchecked = [section.title for section in sections if section.grade is Grade.GREY]
    bad = [section.title.lower() for section in sections if section.grade is grade]
    if grade in (Grade.GREEN, Grade.GREY) and any(s.grade is Grade.GREY for s in sections if s.key in _CORE):
        grade = Grade.AMBER
        words = "What was checked is in order, but errors and dynamics were not both checked."
    elif grade is Grade.GREEN:
        words = (
            "Nothing was found against this model, on structures like those of its data and at temperatures up to "
            "those tried here."
        )
    elif grade is Grade.AMBER:
        words = f"Usable with care. Look at: {', '.join(bad)}."
    else:
        words = f"Do not rely on this model. Look at: {', '.join(bad)}."
    if unchecked:
        words += f" Not checked: {', '.join(unchecked).lower()}."
    return Finding(grade, words)


def _facts(subject: Subject, options: ReportOptions) -> list[tuple[str, str]]:
    potential, file = subject.potential, subject.file
    kind = str(file.config.get("model_type") or (file.metadata.model_type if file.metadata else ""))
    facts = [
        ("model", f"{subject.path} ({kind or name_of(potential.network)})"),
        ("elements", ", ".join(potential.elements)),
        ("cutoff", f"{potential.cutoff:g} Å"),
        ("test frames", f"{subject.test.size}: {subject.test.source}" if len(subject.test) else "none"),
        ("training frames", f"{subject.train.size}: {subject.train.source}" if len(subject.train) else "not known"),
        ("made", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, pwmlff {pwmlff.__version__}"),
    ]
    if options.quick:
        facts.append(("quick", "fewer frames and shorter runs than without --quick"))
    return facts + [("note", note) for note in subject.notes]


def _json(subject: Subject, options: ReportOptions, verdict: Finding, sections: Sequence[Section]) -> str:
    content = {
        "format_version": FORMAT_VERSION,
        "pwmlff_version": pwmlff.__version__,
        "model": str(subject.path),
        "model_sha256": digest_of(subject.path),
        "elements": list(subject.potential.elements),
        "quick": options.quick,
        "n_test_frames": subject.test.n_all,
        "n_training_frames": subject.train.n_all,
        "verdict": {"grade": verdict.grade.value, "words": verdict.words},
        "sections": [section.as_dict() for section in sections],
    }
    return json.dumps(_finite(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """Return JSON values with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _write(texts: dict[Path, str]) -> None:
    """Write files beside their places and rename them, all or none."""
    partial = {path: path.with_name(f".{path.name}.partial") for path in texts}
    try:
        for path, text in texts.items():
            partial[path].write_text(text, encoding="utf-8")
        for path, written in partial.items():
            os.replace(written, path)
    finally:
        for written in partial.values():
            with suppress(OSError):
                written.unlink()
