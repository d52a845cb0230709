"""Every model in every form keeps the contract: the checks of `pwmlff.testing`, in all the ways a model is run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from model_cases import CASES
from toy_model import ToyModel

from pwmlff.compress import tabulate
from pwmlff.data.batch import collate
from pwmlff.errors import ModelFileError
from pwmlff.models import MODELS, Network, Potential, known_models, predict
from pwmlff.testing import (
    CHECKS,
    COMPARISON_CHECKS,
    DIFFERENTIATION_CHECKS,
    FORMS,
    Check,
    LammpsForm,
    Subject,
    checks_for,
    find_program,
    subject_of,
)

ALL_CHECKS = {**CHECKS, **COMPARISON_CHECKS, **DIFFERENTIATION_CHECKS}


@dataclass(frozen=True)
class Run:
    """A way to run a model."""

    form: str
    dtype: str = "float64"
    ranks: int = 1
    newton: str = "on"
    arguments: str = ""

    def __str__(self) -> str:
        """As it stands in the name of a test."""
        ranks = f"{self.ranks}ranks" if self.ranks > 1 else ""
        return "-".join(filter(None, [self.form, self.dtype, ranks, self.arguments.replace(" ", "_")]))

    @property
    def checks(self) -> dict[str, Check]:
        """What applies to it."""
        if self.form != "eager":
            return {**CHECKS, **COMPARISON_CHECKS}
        return {**CHECKS, **DIFFERENTIATION_CHECKS} if self.dtype == "float64" else CHECKS


PYTHON_RUNS = (
    Run("eager"),
    Run("eager", "mixed"),
    Run("native"),
    Run("native", "mixed"),
    Run("exported"),
    Run("exported", "mixed"),
    Run("exported", "float32"),
)
LAMMPS_RUN = Run("lammps")
LOWER_LAMMPS_RUNS = (Run("lammps", "mixed"), Run("lammps", "float32"))
SLOW_LAMMPS_RUNS = (Run("lammps", ranks=2, newton="off"), Run("lammps", arguments="backend torch"))


def every_run() -> Iterator[object]:
    """Yield (name, run, check); a start of LAMMPS takes long where it has to load torch."""
    for name in CASES:
        default = [*PYTHON_RUNS, *([LAMMPS_RUN] if name != "TOY+ZBL" else [])]
        default += LOWER_LAMMPS_RUNS if name == "DP+ZBL+tables" else []
        runs = dict.fromkeys([*default, LAMMPS_RUN, *LOWER_LAMMPS_RUNS, *SLOW_LAMMPS_RUNS])
        for run in runs:
            for check in run.checks:
                marks = [] if run in default else [pytest.mark.slow]
                yield pytest.param(name, run, check, marks=marks, id=f"{name}-{run}-{check}")


@pytest.fixture(scope="session")
def make_subject(
    make_potential: Callable[..., Potential], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Run], Subject]:
    """Return a function that makes a model ready to be checked, once."""

    @functools.cache
    def make(name: str, run: Run) -> Subject:
        potential = make_potential(name, "float64" if run.dtype == "float64" else "float32")
        subject = subject_of(potential, run.form, dtype=run.dtype, folder=tmp_path_factory.mktemp("model"))
        if isinstance(subject.form, LammpsForm):
            arguments = f"{subject.form.arguments} {run.arguments}".strip()
            form = replace(subject.form, ranks=run.ranks, newton=run.newton, arguments=arguments)
            return replace(subject, form=form)
        return subject

    return make


@pytest.mark.parametrize(("name", "run", "check"), list(every_run()))
def test_contract(make_subject: Callable[[str, Run], Subject], name: str, run: Run, check: str) -> None:
    if run.form == "lammps" and find_program("lmp") is None:
        pytest.skip("lmp is not installed")
    ALL_CHECKS[check](make_subject(name, run))


def test_every_model_is_under_the_suite(make_potential: Callable[..., Potential]) -> None:
    tested: set[type[Network]] = {type(make_potential(name).network) for name in CASES}
    assert tested == {*known_models().values(), ToyModel}


def test_tables_of_every_model_are_under_the_suite(make_potential: Callable[..., Potential]) -> None:
    for name in MODELS:
        try:
            tabulate(make_potential(name), 0.1, 3)
        except ModelFileError:  # nothing in it that could be a table
            continue
        assert any(other.startswith(name) and other.endswith("+tables") for other in CASES)


@pytest.mark.parametrize("form", FORMS)
def test_runs_have_all_checks_that_apply(make_subject: Callable[[str, Run], Subject], form: str) -> None:
    if form == "lammps" and find_program("lmp") is None:
        pytest.skip("lmp is not installed")
    run = Run(form)
    assert set(run.checks) == set(checks_for(make_subject("DP", run)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_no_atoms(make_potential: Callable[..., Potential], name: str, dtype: str) -> None:
    # the share of a process where a batch has fewer frames than there are processes
    nothing = predict(make_potential(name, dtype), collate([]), groups=True, create_graph=True)
    shapes = [tuple(value.shape) for value in vars(nothing).values() if value is not None]
    assert shapes == [(0,), (0,), (0, 3), (0, 3, 3), (0,)]
