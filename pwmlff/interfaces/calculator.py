"""ASE calculator: a trained model for everything ASE does with energies, forces and stresses.

    from ase.build import bulk
    from pwmlff import PwmlffCalculator

    atoms = bulk("Li", "bcc", a=3.44)
    atoms.calc = PwmlffCalculator("model_record/dp_model_best.ckpt")
    print(atoms.get_potential_energy(), atoms.get_stress())

Conventions are ASE's: eV, Å, stress positive under tension, in Voigt order xx yy zz yz xz xy. `stresses` are the
symmetric parts of the per-atom virials of `pwmlff.evaluate.pair_model` over the volume of the whole cell:

    stress = dE/dstrain / V = sum_i stresses_i        stresses_i = -sym(W_i) / V

LAMMPS's `compute stress/atom` of `pair_style pwmlff` is `stresses_i * V`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from pwmlff.data.batch import make_sample
from pwmlff.data.frame import Frame
from pwmlff.device import choose_device
from pwmlff.errors import ConfigError
from pwmlff.evaluate.pair_model import AtomResult, PairModel
from pwmlff.models.potential import Potential


class PwmlffCalculator(Calculator):
    """Energies, forces and stresses of a model.

    Stresses are there for structures with three cell vectors that are periodic in at least one direction.

    Args:
        model: Checkpoint of `pwmlff train`, `.pt` file of `pwmlff export`, or a potential in memory, which is copied.
        device: auto, cpu, cuda or cuda:<number>; auto takes a GPU when there is one.
        trust: Whether the code in an exported model without kernels may be run; see docs/trust.md.

    Raises:
        ModelFileError: The file is missing, damaged, no model, or needs trust.
        ConfigError: No such device.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]
    ignored_changes = {"initial_charges", "initial_magmoms"}  # the model does not depend on them

    def __init__(self, model: Path | str | Potential, *, device: str = "auto", trust: bool = False) -> None:
        super().__init__()
        self._source = model if isinstance(model, Potential) else Path(model).absolute()
        self._model = _load(self._source, device, trust)
        name = type(model.network).__name__ if isinstance(model, Potential) else str(self._source)
        self.parameters.update(model=name, device=device, trust=trust)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols the model knows."""
        return tuple(self._model.elements)

    @property
    def cutoff(self) -> float:
        """Å; an atom feels no other beyond twice this distance."""
        return self._model.cutoff

    @property
    def table_overflows(self) -> tuple[int, int]:
        """Pairs met so far that the model was not made for; see `Potential.overflows`."""
        return self._model.potential.overflows()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute all properties at once; ASE calls this when something has changed.

        Args:
            atoms: The structure.
            properties: What is asked for.
            system_changes: What has changed since the last call.

        Raises:
            DataFormatError: An element is unknown to the model, atoms coincide, or a number is not finite.
            PropertyNotImplementedError: A stress is asked of a structure that has none.
        """
        super().calculate(atoms, properties, system_changes)
        frame = Frame(
            atomic_numbers=self.atoms.numbers,
            positions=self.atoms.positions,
            cell=self.atoms.cell.array,
            pbc=self.atoms.pbc,
            source=f"ASE structure {self.atoms.get_chemical_formula()}",
        )
        result = self._model.evaluate(make_sample(frame, self._model.type_of, self._model.cutoff))
        energy = float(result.atomic_energies.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": result.atomic_energies,
            "forces": result.forces,
        }
        if frame.pbc.any() and self.atoms.cell.rank == 3:
            self.results.update(_stresses(result, frame.volume))
        elif not {"stress", "stresses"}.isdisjoint(properties):
            raise PropertyNotImplementedError(
                f"a stress needs three cell vectors and a periodic direction; this structure has "
                f"{self.atoms.cell.rank} cell vectors and pbc {self.atoms.pbc.tolist()}"
            )

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Refuse: model and device are those the calculator was made with.

        Raises:
            ConfigError: A setting is to be changed.
        """
        if kwargs:
            raise ConfigError(f"`{next(iter(kwargs))}` cannot be set; make a new PwmlffCalculator(model, device=...)")
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> PwmlffCalculator:
        """Copy the results; the model, which nothing changes, is shared."""
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        memo[id(self._model)] = self._model
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model out: another process reads it from its file."""
        return {name: value for name, value in self.__dict__.items() if name != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the model again."""
        self.__dict__.update(state)
        self._model = _load(self._source, self.parameters["device"], self.parameters["trust"])


def _load(source: Path | Potential, device: str, trust: bool) -> PairModel:
    chosen = choose_device(device)
    if isinstance(source, Potential):
        return PairModel.of_potential(source, chosen)
    return PairModel.load(source, chosen, trust)


def _stresses(result: AtomResult, volume: float) -> dict[str, Any]:
    # the Voigt form is that of the symmetric part
    per_atom = full_3x3_to_voigt_6_stress(-result.atomic_virials / volume)
    return {"stress": per_atom.sum(axis=0), "stresses": per_atom}
