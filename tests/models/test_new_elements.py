"""A model that starts from one with fewer elements: what it knew stays, what is new begins as its relative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from families import FAMILIES, small_potential
from toy_model import ToyModel

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of, nearest_relative
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.evaluate.evaluator import FrameResult, predict_frames
from pwmlff.models import MODELS, Potential, build_potential

KNOWN, LARGER = ["Cu", "O"], ["S", "Cu", "O", "Au"]
ALL = (*FAMILIES, "DP_TYPE_EMBEDDING")
CUTOFF = 4.0
PAIRED = {  # a function for each pair of elements, as models that choose theirs have them
    "descriptor": {
        "functions": [
            *({"type": "G2", "neighbors": [e], "cutoff": CUTOFF, "eta": 0.5, "r_s": 2.0} for e in KNOWN),
            *(
                {"type": kind, "central": c, "neighbors": pair, "cutoff": CUTOFF, "eta": 0.1, "lambda": 1, "zeta": 2}
                for kind in ("G4", "G5")
                for c in KNOWN
                for pair in (["Cu", "Cu"], ["O", "Cu"], ["O", "O"])
            ),
            *(
                {"type": "triple", "neighbors": pair, "centers": [2.5, 2.0, 3.0], "half_widths": [1.0, 1.5, 1.0]}
                for pair in (["Cu", "Cu"], ["O", "Cu"], ["Cu", "O"], ["O", "O"])
            ),
        ]
    },
    "fitting_net": {"network_size": {"Cu": [5, 1], "O": [4, 1]}},
}


def _named(frame: Frame, symbols: Sequence[str]) -> Frame:
    """Return a frame with its atoms renamed in turn."""
    numbers = np.array([atomic_number_of(symbols[k % len(symbols)]) for k in range(len(frame))])
    return replace(frame, atomic_numbers=numbers, energy=None, forces=None, virial=None)


@pytest.fixture(params=[*ALL, "NN of pairs"])
def model_type(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def old(model_type: str, cu_frames: list[Frame]) -> Potential:
    if model_type == "NN of pairs":
        potential = build_potential("NN", MODELS["NN"].Config.model_validate(PAIRED), KNOWN)
    else:
        potential = small_potential(model_type, CUTOFF, KNOWN)
    frames = [_named(frame, KNOWN) for frame in cu_frames[:2]]
    potential.collect_statistics(iterate_batches(FrameDataset(frames, KNOWN, CUTOFF), 2))
    potential.energy_shift.copy_(torch.tensor([-3.0, -5.0]))
    return potential


@pytest.fixture
def new(model_type: str, old: Potential) -> Potential:
    key = model_type.split()[0]
    row = MODELS[key]
    settings = row.RunFile.continued(row.Config(), old.network.config, LARGER, old.places_of(LARGER), old.elements)
    assert not row.RunFile.element_problems(settings, LARGER)
    potential = build_potential(key, settings, LARGER)
    potential.start_from(old)
    return potential


def _predict(potential: Potential, frame: Frame) -> FrameResult:
    (result,) = predict_frames(potential, [frame])
    return result


def test_what_was_known_stays(old: Potential, new: Potential, cu_frames: list[Frame]) -> None:
    frame = _named(cu_frames[2], KNOWN)
    before, after = _predict(old, frame), _predict(new, frame)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-12)
    np.testing.assert_allclose(after.atomic_energies, before.atomic_energies, atol=1e-12)


@pytest.mark.parametrize("names", [("Au", "S"), ("Au", "S", "Cu", "O"), ("Cu", "S")])
def test_a_new_element_begins_as_its_relative(
    model_type: str, old: Potential, new: Potential, cu_frames: list[Frame], names: tuple[str, ...]
) -> None:
    """Gold as copper and sulphur as oxygen: the same energies, also in one structure with them."""
    frame = cu_frames[2]
    before, after = _predict(old, _named(frame, KNOWN)), _predict(new, _named(frame, names))
    if model_type == "DP_TYPE_EMBEDDING":  # whose embedding net sees the properties of the new element
        assert np.abs(after.forces - before.forces).max() > 1e-4
        assert np.abs(after.forces - before.forces).max() < 10 * np.abs(before.forces).max()
    else:
        np.testing.assert_allclose(after.forces, before.forces, atol=1e-11)
        np.testing.assert_allclose(after.atomic_energies, before.atomic_energies, atol=1e-11)


def test_nobody_has_met_a_new_element(old: Potential, new: Potential) -> None:
    copper, gold = LARGER.index("Cu"), LARGER.index("Au")
    assert new.shortest[copper, copper] == old.shortest[0, 0] < CUTOFF
    assert (new.shortest[gold] == CUTOFF).all()


def test_tables_reach_as_far_as_new_frames_do(cu_frames: list[Frame]) -> None:
    """A Deep Potential keeps the shortest distance of each central element for its tables."""
    potential = small_potential("DP", CUTOFF, KNOWN)
    near = [_named(frame, KNOWN) for frame in cu_frames]
    wide = [replace(frame, positions=1.1 * frame.positions, cell=1.1 * frame.cell) for frame in near]
    potential.collect_statistics(iterate_batches(FrameDataset(wide, KNOWN, CUTOFF), 2))
    potential.extend_shortest(iterate_batches(FrameDataset(near, KNOWN, CUTOFF), 2))
    assert potential.shortest.min() < 2.6
    torch.testing.assert_close(potential.network.environment.shortest, potential.shortest.amin(dim=1))


def test_elements_may_be_left_out_and_reordered(model_type: str, old: Potential, cu_frames: list[Frame]) -> None:
    key = model_type.split()[0]
    row = MODELS[key]
    settings = row.RunFile.continued(row.Config(), old.network.config, ["O"], [1], old.elements)
    alone = build_potential(key, settings, ["O"])
    alone.start_from(old)
    frame = _named(cu_frames[2], ["O"])
    np.testing.assert_allclose(_predict(alone, frame).forces, _predict(old, frame).forces, atol=1e-12)


def test_a_family_that_cannot_says_so() -> None:
    small = Potential(ToyModel(ToyModel.Config(), 1, torch.float64), ["Cu"])
    large = Potential(ToyModel(ToyModel.Config(), 2, torch.float64), ["Cu", "Au"])
    with pytest.raises(ModelFileError, match="lacks some elements of `atom_type`, and a ToyModel cannot take new ones"):
        large.start_from(small)


@pytest.mark.parametrize(
    ("element", "known", "relative"),
    [
        ("S", ["O", "Cu"], "O"),
        ("Au", ["O", "Ag", "Pt"], "Ag"),  # its group rather than its period
        ("F", ["H", "O", "Si"], "O"),
        ("He", ["H", "Ar"], "Ar"),
        ("Nd", ["La", "O", "Ba"], "La"),
        ("Hf", ["Ti", "O", "Lu"], "Lu"),
        ("Na", ["Cl", "K"], "K"),
        ("Al", ["B", "O"], "B"),
    ],
)
def test_relatives(element: str, known: list[str], relative: str) -> None:
    assert nearest_relative(element, known) == relative


# frozen parts


@pytest.mark.parametrize("model_type", ALL)
def test_parts_are_all_weights_each_once(model_type: str) -> None:
    potential = small_potential(model_type, CUTOFF, KNOWN)
    weights = [id(weight) for part in potential.network.parts().values() for weight in part]
    assert sorted(weights) == sorted(id(weight) for weight in potential.network.parameters())


@pytest.mark.parametrize("model_type", ALL)
def test_frozen_parts_ask_for_no_gradient(model_type: str) -> None:
    potential = small_potential(model_type, CUTOFF, KNOWN)
    held = potential.hold(["hidden"])
    parts = potential.network.parts()
    assert held == sum(weight.numel() for weight in parts["hidden"])
    assert not any(weight.requires_grad for weight in parts["hidden"])
    assert all(weight.requires_grad for name, part in parts.items() if name != "hidden" for weight in part)
    everything = ["fitting"] if model_type == "NN" else ["embedding", "fitting"]
    with pytest.raises(ConfigError, match="leaves nothing to train"):
        potential.hold(everything)
    missing = "descriptor" if model_type == "NN" else "neck"
    with pytest.raises(ConfigError, match=f"`freeze` names {missing}, which this model has not; its trained parts are"):
        potential.hold([missing])
