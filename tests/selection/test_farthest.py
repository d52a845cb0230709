"""Farthest-point selection against its definition, and what it picks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from families import FAMILIES, small_potential

from pwmlff.data.frame import Frame
from pwmlff.evaluate.loading import load_model
from pwmlff.selection.farthest import Environments, farthest_frames


def _by_hand(points: list[np.ndarray], numbers: list[np.ndarray], known: list[int], n_wanted: int) -> list[int]:
    """Return what the definition gives, by loops over frames and atoms."""
    chosen: list[int] = []
    while len(chosen) < n_wanted:
        novelty = []
        for own, kinds in zip(points, numbers, strict=True):
            distances = []
            for point, kind in zip(own, kinds, strict=True):
                others = [p for k in known + chosen for p, z in zip(points[k], numbers[k], strict=True) if z == kind]
                distances.append(min(np.linalg.norm(point - other) for other in others))
            novelty.append(max(distances))
        best = max((k for k in range(len(points)) if k not in known + chosen), key=lambda k: novelty[k])
        chosen.append(best)
    return chosen


def test_the_order_is_that_of_the_definition(two_element_frames: list[Frame]) -> None:
    frames = [two_element_frames[k] for k in (3, 1, 2, 4, 5)]  # the first has both elements
    environments = Environments(small_potential("NEP", 4.0, ["Cu", "Au"]), frames)
    points, numbers = environments.of(frames), [frame.atomic_numbers for frame in frames]
    expected = _by_hand(points, numbers, [0], 3)
    chosen = farthest_frames(environments, frames[1:], 3, known=frames[:1])
    assert [place + 1 for place, _ in chosen] == expected
    novelties = [novelty for _, novelty in chosen]
    assert novelties == sorted(novelties, reverse=True)
    begun = farthest_frames(environments, frames, 4, first=0)
    assert [place for place, _ in begun] == [0, *expected]


@pytest.mark.parametrize("model_type", FAMILIES)
def test_one_atom_out_of_place_is_found(model_type: str, shaken: list[Frame]) -> None:
    """Among frames of small displacements, the one in which an atom has left its site comes first."""
    calm = shaken[:5]
    positions = calm[3].positions.copy()
    positions[7] += [0.7, 0.5, 0.0]
    frames = [*calm[:3], replace(calm[3], positions=positions), calm[4]]
    environments = Environments(small_potential(model_type, 4.5, ["Cu"]), shaken)
    assert farthest_frames(environments, frames, 1)[0][0] == 3
    ((place, novelty), *_) = farthest_frames(environments, frames, 2, known=calm)
    assert place == 3
    assert novelty > 0


def test_what_is_known_is_not_taken(models: list[Path], shaken: list[Frame]) -> None:
    import torch

    model = load_model(models[0], torch.device("cpu"))
    chosen = farthest_frames(Environments(model, shaken), shaken[:4], 4, known=[shaken[0], shaken[2]])
    assert {place for place, _ in chosen} == {1, 3}


def test_an_element_that_nobody_knows_comes_first(two_element_frames: list[Frame]) -> None:
    copper, gold = two_element_frames[0], two_element_frames[1]
    environments = Environments(small_potential("DP", 4.0, ["Cu", "Au"]), two_element_frames)
    (first, *_) = farthest_frames(environments, [replace(copper, positions=copper.positions), gold], 2, known=[copper])
    assert first == (1, float("inf"))


def test_frames_that_are_alike_are_taken_once(shaken: list[Frame]) -> None:
    environments = Environments(small_potential("DP", 4.5, ["Cu"]), shaken)
    assert len(farthest_frames(environments, [shaken[3]] * 5, 4)) == 1
