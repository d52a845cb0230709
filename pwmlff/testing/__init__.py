"""The physics that every model has to obey, as checks that anyone can run on a model of their own.

    from pwmlff.testing import FORMS, check_model, subject_of

    for form in FORMS:  # eager, native, exported, lammps
        check_model(subject_of(potential, form))

A *form* of a model is a function from structures to energies, forces and virials; how it gets them is its own affair. A
check takes a `Subject`, which is a form with what has to be known of it, and raises `AssertionError` with the property,
the numbers and the tolerance. In pytest, parametrise over `CHECKS`.
"""

from pwmlff.testing.checks import (
    CHECKS,
    COMPARISON_CHECKS,
    DIFFERENTIATION_CHECKS,
    Check,
    check_model,
    checks_for,
)
from pwmlff.testing.forms import FORMS, PairForm, eager, exported, native, subject_of
from pwmlff.testing.lammps import LammpsForm, find_program
from pwmlff.testing.subject import TOLERANCES, Differentiable, Form, Result, Subject, Tolerance

__all__ = [
    "CHECKS",
    "COMPARISON_CHECKS",
    "DIFFERENTIATION_CHECKS",
    "FORMS",
    "TOLERANCES",
    "Check",
    "Differentiable",
    "Form",
    "LammpsForm",
    "PairForm",
    "Result",
    "Subject",
    "Tolerance",
    "check_model",
    "checks_for",
    "eager",
    "exported",
    "find_program",
    "native",
    "subject_of",
]
