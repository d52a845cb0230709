"""Reading a store: frames are read from the file when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.lazy_frames import LazyFrames
from pwmlff.data.store.checksums import verify_store
from pwmlff.data.store.layout import MASKS, PER_ATOM, PER_FRAME, open_store
from pwmlff.errors import DataFormatError


class StoredFrames(LazyFrames):
    """The frames of a store, read from the file when they are asked for.

    The file is opened once per process, so a store may be handed to worker processes.
    """

    def __init__(self, path: Path | str, *, verify: bool = False) -> None:
        """Open a store.

        Args:
            path: The file.
            verify: Check all checksums first, which reads the whole file; the readers do.

        Raises:
            DataFormatError: The file is no readable store of this version.
        """
        self.path = Path(path)
        self._datasets: dict[str, h5py.Dataset] = {}
        self._process = -1
        if verify:
            verify_store(self.path)
        try:
            with open_store(self.path, "r") as file:
                self._n_frames = int(file.attrs["n_frames"])
                self.frame_start: NDArray[np.int64] = file["frame_start"][: self._n_frames + 1]
                self._sources: list[str] = [name.decode(errors="replace") for name in file["sources"]]
                self.n_labelled = {name: int(np.count_nonzero(file[f"has_{name}"][:])) for name in MASKS}
                lengths = {len(file[name]) for name in PER_FRAME}
                n_atoms = {len(file[name]) for name in PER_ATOM}
                source = file["source"][:]
        except (OSError, RuntimeError, ValueError) as error:  # what HDF5 raises depends on which bytes are damaged
            raise DataFormatError(f"{self.path}: cannot be read ({error}); the file is damaged") from error
        starts = self.frame_start
        if len(starts) != self._n_frames + 1 or starts[0] != 0 or (np.diff(starts) < 1).any():
            raise DataFormatError(f"{self.path}: `frame_start` does not rise from 0; the file is damaged")
        if len(source) and not 0 <= source.min() <= source.max() < len(self._sources):
            raise DataFormatError(
                f"{self.path}: frames name sources {source.min()} to {source.max()}, the file has "
                f"{len(self._sources)}; the file is damaged"
            )
        if lengths != {self._n_frames} or n_atoms != {int(self.frame_start[-1])}:
            raise DataFormatError(
                f"{self.path}: arrays hold {sorted(lengths)} frames and {sorted(n_atoms)} atoms, the file says "
                f"{self._n_frames} and {self.frame_start[-1]}; the file is damaged"
            )

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """[F] atoms of each frame, without reading the frames."""
        return np.diff(self.frame_start)

    @property
    def source_index(self) -> NDArray[np.int64]:
        """[F] which source each frame came from, without reading the frames."""
        source: NDArray[np.int64] = self._opened()["source"][: self._n_frames]
        return source

    def __len__(self) -> int:
        """Number of frames."""
        return self._n_frames

    def frame(self, index: int) -> Frame:
        """Read a frame.

        Raises:
            DataFormatError: The file is damaged there.
        """
        datasets = self._opened()
        try:
            row = {name: datasets[name][index] for name in PER_FRAME}
            atoms = slice(self.frame_start[index], self.frame_start[index + 1])
            columns = {name: datasets[name][atoms] for name in PER_ATOM}
        except (OSError, RuntimeError, ValueError) as error:
            raise DataFormatError(
                f"{self.path}: frame {index} cannot be read ({error}); the file is damaged"
            ) from error
        labels = {**row, **columns}
        line = int(row["line"])
        return Frame(
            atomic_numbers=columns["atomic_numbers"],
            positions=columns["positions"],
            cell=row["cell"],
            pbc=row["pbc"],
            source=self._sources[int(row["source"])],
            index=int(row["index"]),
            line=line if line > 0 else None,
            **{name: labels[name] if row[f"has_{name}"] else None for name in MASKS},
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when sent to another process."""
        return {**self.__dict__, "_datasets": {}, "_process": -1}

    def _opened(self) -> dict[str, h5py.Dataset]:
        # an HDF5 handle must not cross a fork
        if self._process != os.getpid():
            file = open_store(self.path, "r")
            self._datasets, self._process = {name: file[name] for name in (*PER_FRAME, *PER_ATOM)}, os.getpid()
        return self._datasets
