"""Small valid files of each format, to be damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_frames


def frames() -> list[Frame]:
    """Three frames of four atoms with all labels."""
    rng = np.random.default_rng(0)
    grid = np.array([[0.0, 0, 0], [2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]])
    return [
        Frame(
            atomic_numbers=[29, 29, 8, 8],
            positions=grid + rng.normal(size=(4, 3)) * 0.05,
            cell=np.eye(3) * 4.5 + rng.normal(size=(3, 3)) * 0.1,
            energy=float(rng.normal()),
            forces=rng.normal(size=(4, 3)),
            virial=np.eye(3) * float(rng.normal()),
            atomic_energies=rng.normal(size=4),
            source="made.xyz",
            index=k,
            line=1 + 6 * k,
        )
        for k in range(3)
    ]


def movement(frame: Frame) -> str:
    """One frame as PWmat writes it."""
    numbers = frame.atomic_numbers.tolist()

    def rows(table: np.ndarray, tail: str = "") -> list[str]:
        return [f"{z:4d} {' '.join(f'{x:.12f}' for x in row)}{tail}" for z, row in zip(numbers, table, strict=True)]

    stress = " stress (eV): 1.0E+00 0.0E+00 0.0E+00"
    return "\n".join(
        [
            f"  {len(numbers)} atoms,Iteration (fs) = 1.0E+00, Etot,Ep,Ek (eV) = 1.0 {frame.energy:.9E} 0.5",
            " Lattice vector (Angstrom)",
            *(" ".join(f"{x:.12E}" for x in row) + stress for row in frame.cell),
            " Position (normalized), move_x, move_y, move_z",
            *rows(frame.positions @ np.linalg.inv(frame.cell), " 1 1 1"),
            " Force (-force, eV/Angstrom)",
            *rows(-np.asarray(frame.forces)),
            " Atomic-Energy, Etot(eV),E_nonloc(eV),Q_atom:dE(eV)=  -0.36E+06",
            *rows(np.ones((4, 3))),
            " " + "-" * 40,
            "",
        ]
    )


def outcar(chosen: list[Frame]) -> str:
    """An OUTCAR with one electronic step for each ionic one."""
    lines = [
        " vasp.6.4.2",
        " POTCAR:    PAW_PBE X",
        "   TITEL  = PAW_PBE Cu_pv 01Jan2000",
        "   TITEL  = PAW_PBE O 01Jan2000",
    ]
    lines += ["   number of dos      NEDOS =    301   number of ions     NIONS =      4", "   ions per type =    2   2"]
    lines += ["   NELM   =     60;   NELMIN=  4"]
    for number, frame in enumerate(chosen, start=1):
        lines += [f"---- Iteration {number:6d}(   1)  ----", "---- aborting loop because EDIFF is reached ----"]
        lines += [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Total  " + " 1.00000" * 6,
            "  in kB  " + " 9.00000" * 6,
        ]
        lines += ["      direct lattice vectors     reciprocal lattice vectors"]
        lines += ["".join(f"{x:13.9f}" for x in (*row, *row)) for row in frame.cell]
        lines += [" POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 80]
        table = np.hstack([frame.positions, np.asarray(frame.forces)])
        lines += ["".join(f"{x:14.6f}" for x in row) for row in table]
        lines += [" " + "-" * 80, f"  free  energy   TOTEN  = {frame.energy:18.8f} eV", ""]
    return "\n".join([*lines, " General timing and accounting informations for this job:", ""])


def write_extxyz(folder: Path) -> Path:
    """Extended XYZ."""
    write_frames(folder / "a.xyz", frames())
    return folder / "a.xyz"


def write_store(folder: Path) -> Path:
    """A store."""
    write_frames(folder / "a.h5", frames())
    return folder / "a.h5"


def write_movement(folder: Path) -> Path:
    """A MOVEMENT."""
    (folder / "MOVEMENT").write_text("".join(map(movement, frames())))
    return folder / "MOVEMENT"


def write_outcar(folder: Path) -> Path:
    """An OUTCAR."""
    (folder / "OUTCAR").write_text(outcar(frames()))
    return folder / "OUTCAR"


def write_deepmd(folder: Path) -> Path:
    """A system of deepmd-kit."""
    system = folder / "system"
    (system / "set.000").mkdir(parents=True)
    (system / "type.raw").write_text("0 0 1 1\n")
    (system / "type_map.raw").write_text("Cu O\n")
    arrays = {"coord": "positions", "box": "cell", "force": "forces", "energy": "energy", "virial": "virial"}
    for name, field in arrays.items():
        np.save(system / "set.000" / f"{name}.npy", np.array([np.ravel(getattr(f, field)) for f in frames()]))
    return system


def write_pwdata(folder: Path) -> Path:
    """A folder of pwdata."""
    system = folder / "pwdata"
    system.mkdir()
    np.save(system / "image_type.npy", frames()[0].atomic_numbers[None])
    np.save(system / "position.npy", [(f.positions @ np.linalg.inv(f.cell)).ravel() for f in frames()])
    arrays = {"lattice": "cell", "forces": "forces", "energies": "energy", "virials": "virial", "ei": "atomic_energies"}
    for name, field in arrays.items():
        np.save(system / f"{name}.npy", np.array([np.ravel(getattr(f, field)) for f in frames()]))
    return system


def write_n2p2(folder: Path) -> Path:
    """An input.data of n2p2."""
    lines = []
    for frame in frames():
        lines += ["begin", "comment made", *(f"lattice {x:.9f} {y:.9f} {z:.9f}" for x, y, z in frame.cell)]
        for number, position, force in zip(
            frame.atomic_numbers, frame.positions, np.asarray(frame.forces), strict=True
        ):
            symbol = {29: "Cu", 8: "O"}[int(number)]
            words = [f"{x:.9f}" for x in position], [f"{x:.9f}" for x in force]
            lines.append(f"atom {' '.join(words[0])} {symbol} 0.0 0.0 {' '.join(words[1])}")
        lines += [f"energy {frame.energy:.9f}", "charge 0.0", "end"]
    (folder / "input.data").write_text("\n".join([*lines, ""]))
    return folder / "input.data"


def write_config(folder: Path) -> Path:
    """An atom.config."""
    frame = frames()[0]
    scaled = frame.positions @ np.linalg.inv(frame.cell)
    lines = [" 4 atoms", " Lattice vector (Angstrom)", *(" ".join(f"{x:.12f}" for x in row) for row in frame.cell)]
    lines += [" Position, move_x, move_y, move_z"]
    lines += [
        f"{z} {x:.12f} {y:.12f} {w:.12f} 1 1 1" for z, (x, y, w) in zip(frame.atomic_numbers, scaled, strict=True)
    ]
    (folder / "atom.config").write_text("\n".join([*lines, ""]))
    return folder / "atom.config"


def _write_with_ase(path: Path, format: str, **options: object) -> Path:
    import ase.io
    from ase import Atoms

    frame = frames()[0]
    atoms = Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=True)
    ase.io.write(path, atoms, format=format, **options)
    return path


def write_poscar(folder: Path) -> Path:
    """A POSCAR."""
    return _write_with_ase(folder / "POSCAR", "vasp")


def write_cif(folder: Path) -> Path:
    """A CIF."""
    return _write_with_ase(folder / "a.cif", "cif")


def write_lammps_data(folder: Path) -> Path:
    """A LAMMPS data file, which tells its elements by masses."""
    path = _write_with_ase(folder / "a.data", "lammps-data", masses=True)
    path.write_text(path.read_text().replace("Masses", "Atom Type Labels\n\n1 Cu\n2 O\n\nMasses"))
    return path


_BOXES = (
    ("pp pp pp", ("0 4.5", "0 4.5", "0 4.5")),
    ("xy xz yz pp pp ff", ("0 5 0.3", "0 4.7 0.2", "0 4.5 0.2")),
    ("abc origin pp pp pp", ("4.5 0.1 0.2 0", "0 4.5 0.1 0", "0.3 0 4.5 0")),
)


def dump() -> str:
    """A LAMMPS dump, each frame with another form of box and coordinates."""
    lines = []
    for frame, (heading, box), tail in zip(frames(), _BOXES, ("", "s", "u"), strict=True):
        lines += ["ITEM: UNITS", "metal", "ITEM: TIMESTEP", str(10 * frame.index), "ITEM: NUMBER OF ATOMS", "4"]
        lines += [f"ITEM: BOX BOUNDS {heading}", *box, f"ITEM: ATOMS id type element x{tail} y{tail} z{tail}"]
        rows = frame.positions / (4.5 if tail == "s" else 1.0)
        for atom, (x, y, z) in enumerate(rows):
            lines.append(f"{atom + 1} {1 + atom // 2} {('Cu', 'O')[atom // 2]} {x:.6f} {y:.6f} {z:.6f}")
    return "\n".join([*lines, ""])


def write_dump(folder: Path) -> Path:
    """A LAMMPS dump."""
    (folder / "a.dump").write_text(dump())
    return folder / "a.dump"


def write_dump_gz(folder: Path) -> Path:
    """A LAMMPS dump, compressed."""
    (folder / "a.dump.gz").write_bytes(gzip.compress(dump().encode(), mtime=0))
    return folder / "a.dump.gz"
