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

Several models make a committee: the results are means over them, and `results` tells how far they are apart, as
`pwmlff devi` does.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from pwmlff.data.atoms import frame_of
from pwmlff.data.batch import make_sample
from pwmlff.device import choose_device
from pwmlff.errors import ConfigError
from pwmlff.evaluate.deviation import Committee, deviation_of, force_deviation
from pwmlff.evaluate.model import Model
from pwmlff.evaluate.pair_model import AtomResult, PairModel
from pwmlff.models.potential import Potential

ModelSource = Path | str | Potential | Model


class PwmlffCalculator(Calculator):
    """Energies, forces and stresses of a model, or the means of a committee of models.

    Stresses are there for structures with three cell vectors that are periodic in at least one direction.

    With several models, `results` also holds how far they are apart, by the definitions of `pwmlff devi`:
    `forces_deviation` [N] in eV/Å of each atom; and as numbers `max_devi_f`, `avg_devi_f`, `min_devi_f` in eV/Å, the
    same of `devi_e` in eV and of `devi_v` in eV/atom.

        atoms.calc = PwmlffCalculator(["m1.ckpt", "m2.ckpt", "m3.ckpt", "m4.ckpt"])
        atoms.get_forces()                              # the mean
        atoms.calc.results["max_devi_f"]                # eV/Å, of the atom that the models disagree on most

    Args:
        model: Checkpoint of `pwmlff train`, `.pt` file of `pwmlff export`, another model file, what `pwmlff.load`
            returned, or a potential in memory, which is copied; or two or more of them.
        device: auto, cpu, cuda or cuda:<number>; auto takes a GPU when there is one.
        trust: Whether the code in an exported model without kernels may be run; see docs/trust.md.

    Raises:
        ModelFileError: A file is missing, damaged, no model, or needs trust.
        ConfigError: No such device, no model, or one that is given twice.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]
    ignored_changes = {"initial_charges", "initial_magmoms"}  # the model does not depend on them

    def __init__(
        self, model: ModelSource | Sequence[ModelSource], *, device: str = "auto", trust: bool = False
    ) -> None:
        super().__init__()
        given = [model] if isinstance(model, ModelSource) else list(model)
        self._sources = [_source(each) for each in given]
        self._models = [_load(source, device, trust) for source in self._sources]
        self._committee = _committee(self._models, self._sources)
        names = [_name(source) for source in self._sources]
        self.parameters.update(model=names[0] if len(names) == 1 else names, device=device, trust=trust)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols the model knows; of a committee those that all know."""
        first, *others = self._models
        return tuple(symbol for symbol in first.elements if all(symbol in other.elements for other in others))

    @property
    def cutoff(self) -> float:
        """Å; an atom feels no other beyond twice this distance."""
        return max(model.cutoff for model in self._models)

    @property
    def table_overflows(self) -> tuple[int, int]:
        """Pairs met so far that the models were not made for; see `Potential.overflows`."""
        counts = [model.potential.overflows() for model in self._models]
        return sum(nearer for nearer, _ in counts), sum(beyond for _, beyond in counts)

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
        frame = frame_of(self.atoms, f"ASE structure {self.atoms.get_chemical_formula()}")
        if self._committee is None:
            (model,) = self._models
            members = [model.evaluate(make_sample(frame, model.type_of, model.cutoff))]
        else:
            members = self._committee.predict(frame)
        result = _mean(members)
        energy = float(result.atomic_energies.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": result.atomic_energies,
            "forces": result.forces,
        }
        if len(members) > 1:
            self.results.update(forces_deviation=force_deviation(members), **deviation_of(members))
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
        """Copy the results; the models, which nothing changes, are shared."""
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        for shared in (self._models, self._committee):
            memo[id(shared)] = shared
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Leave the models out: another process reads them from their files."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_models", "_committee")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the models again."""
        self.__dict__.update(state)
        device, trust = self.parameters["device"], self.parameters["trust"]
        self._models = [_load(source, device, trust) for source in self._sources]
        self._committee = _committee(self._models, self._sources)


def _source(model: ModelSource) -> Path | Potential:
    if isinstance(model, Model):
        return model.potential
    return model if isinstance(model, Potential) else Path(model).absolute()


def _name(source: Path | Potential) -> str:
    return type(source.network).__name__ if isinstance(source, Potential) else str(source)


def _load(source: Path | Potential, device: str, trust: bool) -> PairModel:
    chosen = choose_device(device)
    if isinstance(source, Potential):
        return PairModel.of_potential(source, chosen)
    return PairModel.load(source, chosen, trust)


def _committee(models: Sequence[PairModel], sources: Sequence[Path | Potential]) -> Committee | None:
    """Return the committee of several models; None of one."""
    if len(models) == 1:
        return None
    if len({id(source) if isinstance(source, Potential) else source for source in sources}) < len(sources):
        raise ConfigError("a model is named twice; a committee needs different models")
    names = [f"{_name(source)} (member {number})" for number, source in enumerate(sources, start=1)]
    return Committee(dict(zip(names, models, strict=True)))


def _mean(results: Sequence[AtomResult]) -> AtomResult:
    if len(results) == 1:
        return results[0]
    return AtomResult(
        np.mean([result.atomic_energies for result in results], axis=0),
        np.mean([result.forces for result in results], axis=0),
        np.mean([result.atomic_virials for result in results], axis=0),
    )


def _stresses(result: AtomResult, volume: float) -> dict[str, Any]:
    # the Voigt form is that of the symmetric part
    per_atom = full_3x3_to_voigt_6_stress(-result.atomic_virials / volume)
    return {"stress": per_atom.sum(axis=0), "stresses": per_atom}
