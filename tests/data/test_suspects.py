"""Frames that look wrong: near contacts, huge forces, odd energies of frequent and of rare compositions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.outliers import energy_outliers, force_outliers
from pwmlff.data.readers import read_frames
from pwmlff.data.suspects import SuspectFrames
from pwmlff.errors import DataFormatError

ENERGIES = {1: -13.6, 8: -432.0, 29: -4967.0}  # eV, of three elements


def mixed(counts: list[dict[int, int]], noise: float = 0.3) -> list[Frame]:
    """Make one frame per composition, atoms 2 Å apart; energies are sums over elements and noise in eV/atom."""
    rng = np.random.default_rng(7)
    frames = []
    for index, count in enumerate(counts):
        numbers = [number for number, n in count.items() for _ in range(n)]
        frames.append(
            Frame(
                atomic_numbers=numbers,
                positions=np.arange(len(numbers))[:, None] * [2.0, 0.0, 0.0],
                cell=np.zeros((3, 3)),
                pbc=[False] * 3,
                energy=sum(ENERGIES[number] for number in numbers) + noise * len(numbers) * rng.normal(),
                source="mixed",
                index=index,
            )
        )
    return frames


RARE = [{1: 2 + k % 5, 8: 1 + k % 3, 29: 1 + k % 7} for k in range(40)]


def suspects_of(frames: list[Frame]) -> SuspectFrames:
    suspects = SuspectFrames()
    assert list(suspects.watch(frames)) == frames
    return suspects


def odd(frames: list[Frame]) -> dict[int, str]:
    suspects = suspects_of(frames)
    return energy_outliers(np.array(suspects.energies), suspects.compositions)


def test_energies_of_rare_compositions_are_compared_with_all_frames() -> None:
    frames = mixed(RARE)
    assert odd(frames) == {}
    for k, energy in ((7, -9e6), (11, 0.0), (30, -2.0 * frames[30].energy)):  # type: ignore[operator]
        frames[k] = replace(frames[k], energy=energy)
    assert list(odd(frames)) == [7, 11, 30]
    frames[20] = replace(frames[20], energy=None)
    text = odd(frames)[11]
    assert text.startswith("energy 0.0000 eV/atom is +")
    assert text.endswith("eV/atom off what its elements have in other frames (H3O3Cu5)")


def test_a_few_frames_of_one_composition_suffice() -> None:
    frames = mixed([{29: 8}] * 5)
    assert odd(frames) == {}
    frames[2] = replace(frames[2], energy=-9e5)
    assert list(odd(frames)) == [2]
    assert odd(frames[2:3]) == {}  # nothing to compare it with


def test_a_rare_composition_beside_a_frequent_one() -> None:
    frames = mixed([{29: 8}] * 30 + [{29: 7}] * 3)
    frames[31] = replace(frames[31], energy=-7 * 4900.0)
    assert list(odd(frames)) == [31]
    frames[3] = replace(frames[3], energy=-8 * 4960.0)  # 7 eV/atom off: the frequent one is judged more sharply
    assert list(odd(frames)) == [3, 31]


def test_binding_is_no_fault() -> None:
    # isolated atoms among solids bound by 8.9 eV/atom
    frames = mixed([{29: 8}] * 30 + [{29: 1}], noise=0.01)
    frames[30] = replace(frames[30], energy=ENERGIES[29] + 8.9)
    assert odd(frames) == {}


def test_an_energy_beyond_all_bounds_is_refused_by_its_frame() -> None:
    with pytest.raises(DataFormatError, match="`energy` reaches"):
        replace(mixed([{29: 8}])[0], energy=-9e9)
    large = mixed([{1: 5000}] * 4)
    large[1] = replace(large[1], energy=-9e9)  # 1.8e6 eV/atom
    assert list(odd(large)) == [1]


def test_forces_are_compared_within_a_composition() -> None:
    forces = np.exp(np.random.default_rng(2).normal(size=30) * 0.2)
    forces[[4, 5, 6]] = 1e4, 1e-4, np.nan
    assert list(force_outliers(forces, [((29, 8),)] * 30)) == [4]


def test_notes_count_and_name_the_first() -> None:
    frames = mixed(RARE[:20])
    assert suspects_of(frames).notes() == []
    for k in (5, 9):
        moved = frames[k].positions.copy()
        moved[1] = moved[0] + [0.0, 0.16, 0.0]
        frames[k] = replace(frames[k], positions=moved, forces=np.full_like(moved, 1e4))
    contacts, forces = suspects_of(frames).notes()
    assert contacts == (
        "2 frames have atoms nearer than 0.5 Å, first mixed frame 5: H and H, 0.160 Å; no bond is shorter than 0.7 Å"
    )
    assert forces == (
        "2 frames have forces above 100 eV/Å, first mixed frame 5: 1.732e+04 eV/Å; they outweigh all others in training"
    )


@pytest.mark.parametrize("name", ["mlearn_Cu", "mlearn_Si", "n2p2_Cu2S"])
def test_real_data_have_no_suspects(shared_data: Path, name: str) -> None:
    frames = read_frames([shared_data / "extxyz" / name])
    assert suspects_of(list(frames)).notes() == []


def test_energies_of_a_loosely_converged_run(shared_data: Path) -> None:
    frames = read_frames([shared_data / "raw" / "pwmlff_Cu"])
    (line,) = suspects_of(list(frames)).notes()
    assert line.startswith("energies of 2 trajectories drift away from the work of the forces, most from ")
    assert "1_500_MOVEMENT frame 0 (line 1) on: 0.38 meV/atom about the mean of 100 frames, -0.85 from first" in line
