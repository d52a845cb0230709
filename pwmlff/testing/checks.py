"""The table of checks, and one call that runs all that apply."""

from __future__ import annotations

from collections.abc import Callable

from pwmlff.testing import derivatives, invariances, locality
from pwmlff.testing.subject import Subject

Check = Callable[[Subject], None]

# of every form
CHECKS: dict[str, Check] = {
    "no_frames": locality.no_frames,
    "translation": invariances.translation,
    "rotation": invariances.rotation,
    "inversion": invariances.inversion,
    "permutation": invariances.permutation,
    "batch": invariances.batch,
    "supercell": invariances.supercell,
    "newton": invariances.newton,
    "energy_sum": invariances.energy_sum,
    "isolated_atom": locality.isolated_atom,
    "fragments": locality.fragments,
    "surroundings": locality.surroundings,
    "open_boundaries": locality.open_boundaries,
    "cutoff": locality.cutoff,
    "close_contact": locality.close_contact,
    "forces": derivatives.forces,
    "virial": derivatives.virial,
}
# of a form that has a reference form
COMPARISON_CHECKS: dict[str, Check] = {"reference": locality.reference}
# of a form in float64 that training differentiates
DIFFERENTIATION_CHECKS: dict[str, Check] = {
    "second_derivatives": derivatives.second_derivatives,
    "parameter_derivatives": derivatives.parameter_derivatives,
}


def checks_for(subject: Subject) -> dict[str, Check]:
    """Return the checks that apply to a subject, by name."""
    return {
        **CHECKS,
        **(COMPARISON_CHECKS if subject.reference is not None else {}),
        **(DIFFERENTIATION_CHECKS if subject.differentiable is not None else {}),
    }


def check_model(subject: Subject) -> None:
    """Run all checks that apply to a subject.

    Raises:
        AssertionError: Some failed; the message has a line for each.
    """
    failures = []
    for check in checks_for(subject).values():
        try:
            check(subject)
        except AssertionError as error:
            failures.append(str(error))
    if failures:
        raise AssertionError("\n".join(failures))
