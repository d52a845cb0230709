"""Potentials of the cases of `tests/toy/model_cases.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from model_cases import CASES, CUTOFF, ELEMENTS

from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.models import DTYPES, Potential

MakePotential = Callable[..., Potential]


@pytest.fixture(scope="session")
def make_potential(two_element_frames: list[Frame]) -> MakePotential:
    """Return a function that builds a case, once, with statistics of the two-element frames and an energy shift."""

    @functools.cache
    def make(name: str, dtype: str) -> Potential:
        case = CASES[name]
        torch.manual_seed(3)
        config = case.network.Config.model_validate(case.config)
        network = case.network.from_config(config, ELEMENTS, DTYPES[dtype])
        network.config = config
        potential = Potential(network, ELEMENTS, case.zbl)
        potential.collect_statistics(iterate_batches(FrameDataset(two_element_frames, ELEMENTS, CUTOFF), 4))
        potential.set_energy_shift(np.array([-3.5, -2.25]))
        return tabulate(potential, *case.table) if case.table else potential

    return lambda name, dtype="float64": make(name, dtype)
