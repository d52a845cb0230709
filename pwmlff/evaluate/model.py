"""A trained model in Python: load it, ask it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from pwmlff.data.atoms import AtomsLike, frame_of
from pwmlff.data.frame import Frame
from pwmlff.device import choose_device
from pwmlff.errors import ConfigError
from pwmlff.evaluate.evaluator import FrameResult, predict_frames
from pwmlff.evaluate.notices import overflow_notices
from pwmlff.evaluate.summary import ErrorSummary
from pwmlff.models import Potential, name_of
from pwmlff.models.files import read_model

Structure = AtomsLike | Frame


class Model:
    """A trained potential, made by `pwmlff.load`.

        model = pwmlff.load("model_record/dp_model_best.ckpt")
        result = model.predict(atoms)                     # one ase.Atoms
        print(result.energy, result.forces, result.stress)
        results = model.predict([atoms, more_atoms])      # many, in batches
        print(model.errors(pwmlff.read_frames(["test.xyz"])).as_dict()["force_rmse"])
        atoms.calc = pwmlff.PwmlffCalculator(model)       # ASE

    Attributes:
        potential: The torch module, frozen, on its device.
        config: The resolved run file that made the model; what the file does not tell is missing.
        path: Where it was read from.
    """

    def __init__(self, potential: Potential, config: dict[str, Any], path: Path) -> None:
        self.potential = potential
        self.config = config
        self.path = path

    @property
    def elements(self) -> list[str]:
        """Symbols that the model knows, in type order."""
        return list(self.potential.elements)

    @property
    def cutoff(self) -> float:
        """Å; an atom feels no other beyond twice this distance."""
        return self.potential.cutoff

    @overload
    def predict(
        self, structures: Structure, *, descriptors: bool = False, batch_size: int | None = None
    ) -> FrameResult: ...
    @overload
    def predict(
        self, structures: Sequence[Structure], *, descriptors: bool = False, batch_size: int | None = None
    ) -> list[FrameResult]: ...
    def predict(
        self,
        structures: Structure | Sequence[Structure],
        *,
        descriptors: bool = False,
        batch_size: int | None = None,
    ) -> FrameResult | list[FrameResult]:
        """Predict energy, forces, virial, stress and atomic energies.

        Args:
            structures: An `ase.Atoms` or a frame of `pwmlff.read_frames`, or several of them.
            descriptors: Whether what the nets see of each atom is wanted too.
            batch_size: Most structures evaluated at once; bounded by memory when None.

        Returns:
            A `FrameResult` for one structure, a list of them for several. Of N atoms: `energy` in eV, `forces` [N, 3]
            in eV/Å, `virial` [3, 3] in eV, `stress` [3, 3] in eV/Å^3 (positive under tension, None without a periodic
            cell), `atomic_energies` [N] in eV, `descriptors` [N, D] without unit.

        Raises:
            DataFormatError: The model does not know an element, atoms coincide, or a number is not finite.
            ModelFileError: A prediction is not finite, or descriptors are asked of a model without.
        """
        if isinstance(structures, Frame) or hasattr(structures, "numbers"):
            (result,) = predict_frames(self.potential, [_frame(structures, 0)], descriptors=descriptors)
            return result
        frames = [_frame(structure, index) for index, structure in enumerate(structures)]
        return list(predict_frames(self.potential, frames, descriptors=descriptors, batch_size=batch_size))

    def errors(self, frames: Sequence[Frame], *, batch_size: int | None = None) -> ErrorSummary:
        """Compare the model with labelled frames, as `pwmlff test` does.

        Args:
            frames: Of `pwmlff.read_frames`.
            batch_size: Most frames evaluated at once; bounded by memory when None.

        Returns:
            Errors of everything, by source and by element; `as_dict()` is the content of `summary.json`, in eV and Å.

        Raises:
            DataFormatError: The model does not know an element, or atoms coincide.
            ModelFileError: A prediction is not finite.
        """
        summary = ErrorSummary()
        for result in predict_frames(self.potential, frames, batch_size=batch_size):
            summary.add(result)
        return summary

    def notices(self) -> list[str]:
        """Say which distances the model met, in all predictions so far, that its training data do not have."""
        return overflow_notices(self.potential)

    def __repr__(self) -> str:
        name = name_of(self.potential.network)
        return f"<pwmlff model '{self.path}': {name} of {', '.join(self.elements)}, cutoff {self.cutoff:g} Å>"


def load(path: Path | str, *, device: str = "auto", trust: bool = False) -> Model:
    """Read a trained model from a file of any kind.

    Args:
        path: A checkpoint of `pwmlff train`, a `.pt` of `pwmlff export`, a `nep.txt` of GPUMD, or a folder of n2p2.
        device: auto, cpu, cuda or cuda:<number>; auto takes a GPU where there is one.
        trust: Whether code in an exported model without kernels may be run; see docs/trust.md.

    Returns:
        The model; `predict` is what it is for.

    Raises:
        ModelFileError: The file is missing, damaged, no model, or needs trust.
        ConfigError: No such device.
    """
    chosen = choose_device(device)
    file = read_model(path, trust)
    return Model(file.potential.to(chosen).frozen(), file.config, Path(path).absolute())


def _frame(structure: Any, index: int) -> Frame:
    if isinstance(structure, Frame):
        return structure
    if not hasattr(structure, "numbers"):
        raise ConfigError(
            f"structure {index} is a {type(structure).__name__}, expected an ase.Atoms or a frame of pwmlff.read_frames"
        )
    return frame_of(structure, f"ASE structure {structure.symbols.formula}", index)
