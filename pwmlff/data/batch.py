"""Frames of any size and composition concatenated into one flat batch, without padding."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch_fields import Entries, FrameTexts, Offsets, Per, Whole, declare, role_of
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import NeighborList, neighbor_list
from pwmlff.elements import symbol_of
from pwmlff.errors import DataFormatError

_FRAME_FLAG = declare(Entries(Per.FRAME, dtype=torch.bool))


@dataclass(frozen=True)
class Sample:
    """A frame made ready for a model: its types and its neighbour list."""

    frame: Frame
    atom_types: np.ndarray  # [N] int64
    neighbors: NeighborList


@dataclass(frozen=True)
class Batch:
    """The contract's tensors for several frames, with labels and their masks.

    Letters: `F` frames, `N` atoms, `E` pairs. Labels of frames that lack them are zero and masked out.
    """

    pair_vectors: Tensor = field(metadata=declare(Entries(Per.PAIR, (3,))))  # [E, 3] float64, Å
    pair_start: Tensor = field(metadata=declare(Offsets(Per.ATOM)))  # [N + 1] int64
    pair_types: Tensor = field(metadata=declare(Entries(Per.PAIR, dtype=torch.int64)))  # [E] int64
    atom_types: Tensor = field(metadata=declare(Entries(Per.ATOM, dtype=torch.int64)))  # [N] int64
    # [E] int64, atom j in the batch
    pair_neighbors: Tensor = field(metadata=declare(Entries(Per.PAIR, dtype=torch.int64, index_of=Per.ATOM)))
    frame_start: Tensor = field(metadata=declare(Offsets(Per.FRAME)))  # [F + 1] int64
    energy: Tensor = field(metadata=declare(Entries(Per.FRAME)))  # [F] float64, eV
    forces: Tensor = field(metadata=declare(Entries(Per.ATOM, (3,))))  # [N, 3] float64, eV/Å
    virial: Tensor = field(metadata=declare(Entries(Per.FRAME, (3, 3))))  # [F, 3, 3] float64, eV
    atomic_energies: Tensor = field(metadata=declare(Entries(Per.ATOM)))  # [N] float64, eV
    has_energy: Tensor = field(metadata=_FRAME_FLAG)  # [F] bool
    has_forces: Tensor = field(metadata=_FRAME_FLAG)  # [F] bool
    has_virial: Tensor = field(metadata=_FRAME_FLAG)  # [F] bool
    has_atomic_energies: Tensor = field(metadata=_FRAME_FLAG)  # [F] bool
    volume: Tensor = field(metadata=declare(Entries(Per.FRAME)))  # [F] float64, Å^3
    cutoff: float = field(metadata=declare(Whole(0.0)))  # Å, of all pairs
    where: tuple[str, ...] = field(metadata=declare(FrameTexts()))  # place of each frame, for messages

    @property
    def pairs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What a model is given: pair vectors, start, pair types, atom types."""
        return self.pair_vectors, self.pair_start, self.pair_types, self.atom_types

    @property
    def n_frames(self) -> int:
        """Number of frames F."""
        return self.frame_start.shape[0] - 1

    @cached_property
    def n_atoms(self) -> Tensor:
        """[F] int64, atoms of each frame."""
        return self.frame_start[1:] - self.frame_start[:-1]

    @cached_property
    def atom_frame(self) -> Tensor:
        """[N] int64, the frame of each atom."""
        return torch.repeat_interleave(torch.arange(self.n_frames, device=self.frame_start.device), self.n_atoms)

    @property
    def pair_centers(self) -> Tensor:
        """[E] int64, atom i of each pair."""
        n_neighbors = self.pair_start[1:] - self.pair_start[:-1]
        return torch.repeat_interleave(torch.arange(len(n_neighbors), device=n_neighbors.device), n_neighbors)

    @cached_property
    def codes(self) -> list[int]:
        """A number for each frame, made of its labels alone: the same wherever its file lies."""
        starts = self.frame_start.tolist()
        per_atom = torch.cat([self.forces, self.atomic_energies.unsqueeze(1)], dim=1).cpu().numpy()  # [N, 4]
        per_frame = torch.cat([self.energy.unsqueeze(1), self.virial.flatten(1)], dim=1).cpu().numpy()  # [F, 10]
        return [
            zlib.crc32(per_atom[first:last].tobytes(), zlib.crc32(row.tobytes()))
            for row, first, last in zip(per_frame, starts[:-1], starts[1:], strict=True)
        ]

    def to(self, device: torch.device | str) -> Batch:
        """Copy the tensors to a device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {name: v.to(device) for name, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def select(self, frames: Sequence[int]) -> Batch:
        """Return the batch of some frames of this one, in the given order."""
        device = self.frame_start.device
        rows = {
            Per.FRAME: torch.tensor(frames, dtype=torch.int64, device=device),
            Per.ATOM: _ranges(self.frame_start, frames),
            Per.PAIR: _ranges(self.pair_start[self.frame_start], frames),
        }
        taken: dict[str, Any] = {f.name: role_of(f).take(getattr(self, f.name), rows) for f in fields(self)}
        return replace(self, **taken)


def make_sample(frame: Frame, type_of: dict[int, int], cutoff: float) -> Sample:
    """Assign types and find neighbours.

    Args:
        frame: The structure.
        type_of: Type index of each atomic number the model knows.
        cutoff: Å.

    Raises:
        DataFormatError: The frame holds an element the model does not know.
    """
    unknown = sorted(set(frame.atomic_numbers.tolist()) - set(type_of))
    if unknown:
        known = ", ".join(symbol_of(number) for number in type_of)
        raise DataFormatError(
            f"{frame.where} holds {symbol_of(unknown[0])}, but `atom_type` lists only {known}; "
            "train a model with that element, or leave such frames out"
        )
    lookup = np.full(max(type_of) + 1, -1, dtype=np.int64)
    lookup[list(type_of)] = list(type_of.values())
    return Sample(frame, lookup[frame.atomic_numbers], neighbor_list(frame, cutoff))


def collate(samples: Sequence[Sample]) -> Batch:
    """Concatenate samples; atom and pair indices are shifted to those of the batch. No samples make an empty batch."""
    if not samples:
        nothing: dict[str, Any] = {f.name: role_of(f).none() for f in fields(Batch)}
        return Batch(**nothing)
    frames = [sample.frame for sample in samples]
    n_atoms = np.array([len(frame) for frame in frames])
    frame_start = np.concatenate([[0], np.cumsum(n_atoms)])
    n_pairs = np.array([len(sample.neighbors.pair_neighbors) for sample in samples])
    pair_offset = np.concatenate([[0], np.cumsum(n_pairs)])
    pair_start = [s.neighbors.pair_start[:-1] + offset for s, offset in zip(samples, pair_offset, strict=False)]
    neighbors = [s.neighbors.pair_neighbors + offset for s, offset in zip(samples, frame_start, strict=False)]
    atom_types = np.concatenate([sample.atom_types for sample in samples])
    pair_neighbors = np.concatenate(neighbors)
    return Batch(
        pair_vectors=torch.from_numpy(np.concatenate([s.neighbors.pair_vectors for s in samples])),
        pair_start=torch.from_numpy(np.concatenate([*pair_start, pair_offset[-1:]])),
        pair_types=torch.from_numpy(atom_types[pair_neighbors]),
        atom_types=torch.from_numpy(atom_types),
        pair_neighbors=torch.from_numpy(pair_neighbors),
        frame_start=torch.from_numpy(frame_start),
        energy=_stack([np.float64(f.energy or 0.0) for f in frames]),
        forces=_join([_or_zeros(f.forces, (len(f), 3)) for f in frames]),
        virial=_stack([_or_zeros(f.virial, (3, 3)) for f in frames]),
        atomic_energies=_join([_or_zeros(f.atomic_energies, (len(f),)) for f in frames]),
        has_energy=torch.tensor([f.energy is not None for f in frames]),
        has_forces=torch.tensor([f.forces is not None for f in frames]),
        has_virial=torch.tensor([f.virial is not None for f in frames]),
        has_atomic_energies=torch.tensor([f.atomic_energies is not None for f in frames]),
        volume=torch.tensor([f.volume for f in frames], dtype=torch.float64),
        cutoff=samples[0].neighbors.cutoff,
        where=tuple(f.where for f in frames),
    )


def _ranges(start: Tensor, chosen: Sequence[int]) -> Tensor:
    """Return all numbers from `start[i]` to before `start[i + 1]`, for each i chosen."""
    bounds = start.tolist()
    pieces = [torch.arange(bounds[i], bounds[i + 1], device=start.device) for i in chosen]
    return torch.cat(pieces) if pieces else start.new_zeros(0)


def _or_zeros(value: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape) if value is None else value


def _stack(values: Sequence[np.ndarray | np.float64]) -> Tensor:
    return torch.from_numpy(np.stack(values).astype(np.float64))


def _join(values: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(values))
