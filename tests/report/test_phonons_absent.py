"""Without phonopy the section on phonons is one line."""

from __future__ import annotations

import numpy as np
import pytest
from morse import crystal

from pwmlff.report import phonons as module
from pwmlff.report.crystals import Crystal
from pwmlff.report.elasticity import EquationOfStateFit
from pwmlff.report.structures import frame_of
from pwmlff.report.verdict import Grade


def test_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    atoms = crystal(1)
    fit = EquationOfStateFit(np.ones(1), np.ones(1), 1.0, 1.0, 1.0, 0.0, True, np.ones(1))
    crystals = [Crystal("Cu", frame_of(atoms), np.ones(1), atoms, fit)]
    section = module.phonons_section(crystals, lambda part: None)
    assert section.grade is Grade.GREY
    assert section.words == "phonopy is not installed: pip install 'pwmlff[phonons]'."
    assert section.blocks == []
    assert module.phonons_section([], lambda part: None).grade is Grade.GREY
