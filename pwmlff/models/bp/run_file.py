"""Run files of networks of Behler and Parrinello: keys of PWMLFF, and functions made from the training frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.models.bp.basis import choose_basis
from pwmlff.models.bp.candidates import radial_factor
from pwmlff.models.bp.config import BPConfig
from pwmlff.models.bp.functions import SymmetryFunction, copies, element_problems, functions_of
from pwmlff.models.bp.resolve import resolved_functions
from pwmlff.models.run_file import RadialCurve, RunFileHooks, section_at, with_unset_from

_OF_DP = "it is a setting of the Deep Potential"
_OTHER_FEATURES = "features 5 to 8 are not made here"


class BPRunFile(RunFileHooks):
    """Run files of networks of Behler and Parrinello."""

    ignored = {
        ("model", "descriptor"): {
            **dict.fromkeys(("M2", "network_size", "bias", "resnet_dt", "activation", "type_embedding"), _OF_DP),
            **dict.fromkeys(("5", "6", "7", "8"), _OTHER_FEATURES),
        },
        **{("model", "descriptor", f"feature_{number}"): {"Rc": "the cutoff is `Rmax`"} for number in (3, 4)},
        ("model", "fitting_net"): {
            "bias": "every layer has one",
            "resnet_dt": "the layers have no links, so there is nothing to scale",
        },
    }
    unused = ("descriptor.feature_type", "descriptor.Rmin", *(f"descriptor.feature_{n}" for n in (1, 2, 3, 4)))

    @classmethod
    def translate(cls, values: dict[str, Any]) -> list[str]:
        """Move `feature_type` from the top level to the descriptor, and the sections 1 to 4 to their names here."""
        notices = []
        if values.get("feature_type") is not None:
            model = values.setdefault("model", {})
            descriptor = model.setdefault("descriptor", {}) if isinstance(model, dict) else None
            if isinstance(descriptor, dict):
                feature_type = values.pop("feature_type")
                descriptor.setdefault("feature_type", feature_type)
                notices.append("'feature_type' is taken as 'model.descriptor.feature_type'")
        descriptor = section_at(values, ("model", "descriptor"))
        for number in ("1", "2", "3", "4"):
            if number in descriptor:
                descriptor.setdefault(f"feature_{number}", descriptor.pop(number))
        return notices

    @classmethod
    def continued(
        cls,
        config: BPConfig,
        start: BPConfig,
        elements: Sequence[str],
        types: Sequence[int],
        known: Sequence[str],
    ) -> BPConfig:
        """See the base; functions that the run file does not list are those of the start model for these elements.

        A new element has the functions of its relative, of itself and of its neighbours, beside those of the relative.
        """
        sizes = start.fitting_net.network_size
        if isinstance(sizes, dict):
            own = {symbol: sizes[known[place]] for symbol, place in zip(elements, types, strict=True)}
            start = start.model_copy(update={"fitting_net": start.fitting_net.model_copy(update={"network_size": own})})
        completed: BPConfig = with_unset_from(config, start)
        if config.descriptor.functions is not None or start.descriptor.functions is None:
            return completed
        descendants: dict[str, list[str]] = {}
        for symbol, place in zip(elements, types, strict=True):
            descendants.setdefault(known[place], []).append(symbol)
        functions = [copy for function in start.descriptor.functions for copy in copies(function, descendants)]
        return completed.with_functions(functions, start.descriptor.normalization)

    @classmethod
    def for_frames(
        cls, config: BPConfig, elements: Sequence[str], frames: Sequence[Frame]
    ) -> tuple[BPConfig, list[str]]:
        """See the base; lists the symmetry functions."""
        if config.descriptor.functions is not None:
            return config, []
        normalization = config.descriptor.resolved_normalization
        if config.descriptor.feature_type is not None:
            functions = resolved_functions(config.descriptor, elements, frames)
            return config.with_functions(functions, normalization), [
                f"symmetry functions: {_counts(functions, elements)}"
            ]
        basis = choose_basis(frames, elements, config.descriptor)
        lines = [f"symmetry functions chosen from {basis.n_frames} frames: {_counts(basis.functions, elements)}"]
        for element, own in basis.elements.items():
            lines.append(
                f"those of {element} explain {100 * own.share:.2f} % of the variance of {own.n_candidates} candidates, "
                f"and have {own.n_terms:.0f} terms per atom"
            )
        if basis.force_share is not None:
            lines.append(f"a linear model of them explains {100 * basis.force_share:.2f} % of the forces' variance")
        return config.with_functions(basis.functions, normalization), lines

    @classmethod
    def radial_curves(
        cls, config: BPConfig, elements: Sequence[str], distances: NDArray[np.float64]
    ) -> dict[str, list[RadialCurve]]:
        """See the base: each function's factor of one distance, without its angular term."""
        descriptor = config.descriptor
        return {
            element: [
                RadialCurve(
                    "radial" if function.is_radial else "angular",
                    tuple(function.neighbors or elements),
                    radial_factor(function, distances, descriptor.cutoff_function, descriptor.inner_fraction),
                )
                for function in functions_of(descriptor.functions or (), element)
            ]
            for element in elements
        }

    @classmethod
    def element_problems(cls, config: BPConfig, elements: Sequence[str]) -> list[str]:
        """Return what is wrong with functions and nets for these elements."""
        if not elements:
            return []
        problems = []
        if config.descriptor.functions is not None:
            problems += [f"descriptor.{line}" for line in element_problems(config.descriptor.functions, elements)]
        sizes = config.fitting_net.network_size
        if isinstance(sizes, dict) and sorted(sizes) != sorted(elements):
            problems.append(
                f"fitting_net.network_size: expected widths for {' '.join(elements)}, got them for {' '.join(sizes)}"
            )
        return problems


def _counts(functions: Sequence[SymmetryFunction], elements: Sequence[str]) -> str:
    counts = []
    for element in elements:
        own = functions_of(functions, element)
        n_radial = sum(function.is_radial for function in own)
        counts.append(f"{element} {n_radial} radial, {len(own) - n_radial} angular")
    return "; ".join(counts)
