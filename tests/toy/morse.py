"""A pair potential whose answers are known in closed form, and a crystal labelled by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from torch import Tensor, nn

from pwmlff.data.frame import Frame
from pwmlff.evaluate import predict_frames
from pwmlff.models.base import Network
from pwmlff.models.files import ModelFile
from pwmlff.models.potential import Potential
from pwmlff.report.inputs import FrameSet, Subject
from pwmlff.report.tags import Tag

DEPTH, STEEPNESS, DISTANCE, CUTOFF = 0.3, 1.5, 2.6, 3.5  # eV, 1/Å, Å, Å; only nearest neighbours of fcc are within
STIFFNESS = 2 * DEPTH * STEEPNESS**2  # eV/Å², second derivative at the minimum


class Morse(Network):
    """Morse's potential D (exp(-2 a (r - r0)) - 2 exp(-a (r - r0))), faded out from 3.2 Å; with a hole below 2 Å."""

    def __init__(self, hole: float = 0.0) -> None:
        super().__init__()
        self.cutoff = CUTOFF
        self.hole = hole
        self.depth, self.steepness, self.distance = DEPTH, STEEPNESS, DISTANCE
        self.weight = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        centers = torch.repeat_interleave(torch.arange(len(pair_start) - 1), pair_start[1:] - pair_start[:-1])
        r = pair_vectors.square().sum(1).sqrt()
        decay = torch.exp(-self.steepness * (r - self.distance))
        x = ((r - 3.2) / (self.cutoff - 3.2)).clamp(0.0, 1.0)
        fade = 1 - x**3 * (10 - 15 * x + 6 * x**2)
        pull = self.hole * (2.0 - r).clamp(min=0.0) ** 3
        energies = 0.5 * self.weight * (self.depth * (decay**2 - 2 * decay) * fade - pull)
        return torch.zeros(len(atom_types), dtype=torch.float64).index_add(0, centers, energies)


def morse(hole: float = 0.0) -> Potential:
    return Potential(Morse(hole), ["Cu"]).frozen()


def crystal(repeat: int = 2, shake: float = 0.0, seed: int = 0) -> Atoms:
    atoms = bulk("Cu", "fcc", a=np.sqrt(2) * DISTANCE, cubic=True).repeat(repeat)
    atoms.positions += shake * np.random.default_rng(seed).standard_normal(atoms.positions.shape)
    return atoms


def labelled(potential: Potential, frames: list[Frame]) -> list[Frame]:
    return [
        replace(frame, energy=result.energy, forces=result.forces, virial=result.virial, index=index)
        for index, (frame, result) in enumerate(zip(frames, predict_frames(potential, frames), strict=True))
    ]


def frame_set(frames: list[Frame], tags: list[Tag] | None = None) -> FrameSet:
    return FrameSet(frames, tags or [Tag()] * len(frames), len(frames), "made")


def subject_of(potential: Potential, train: list[Frame], test: list[Frame]) -> Subject:
    return Subject(Path("model.ckpt"), potential, ModelFile(potential), frame_set(train), frame_set(test), [])


def write_xyz(path: Path, frames: list[Frame], **info: object) -> Path:
    images = []
    for frame in frames:
        atoms = Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc, info=dict(info))
        stress = None if frame.virial is None or not frame.pbc.all() else -frame.virial / frame.volume
        atoms.calc = SinglePointCalculator(atoms, energy=frame.energy, forces=frame.forces, stress=stress)
        images.append(atoms)
    ase.io.write(path, images, format="extxyz")
    return path
