"""A NEP on tables: how far they are from the functions, and every way the compressed model is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor
from typer.testing import CliRunner, Result

from pwmlff import PwmlffCalculator
from pwmlff.cli.main import app
from pwmlff.compress import compress_model, tabulate
from pwmlff.compress.deviations import compare
from pwmlff.compress.report import print_report
from pwmlff.compress.speed import Spread
from pwmlff.compress.structures import covalent_distances, hard_sphere_frames
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.evaluate import predict_frames
from pwmlff.export import export_model
from pwmlff.models import Potential, predict
from pwmlff.models.files import read_model
from pwmlff.models.files.nep_txt import write_nep_txt
from pwmlff.models.nep import CompressedNEP
from pwmlff.ops.reference import table_features
from pwmlff.ops.reference.nep import chebyshev_functions

CUTOFFS = {"radial": [[4.5, 4.3], [4.3, 4.1]], "angular": [[4.0, 3.75], [3.75, 3.5]]}  # Å, of pairs of types


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def nep_file(trained: Callable, tmp_path: Path) -> Path:
    """The model in GPUMD's file, which knows neither distances nor data of its training."""
    write_nep_txt(tmp_path / "nep.txt", trained("NEP"))
    return tmp_path / "nep.txt"


def functions(potential: Potential, name: str, central: int, neighbor: int, r: Tensor) -> Tensor:
    """Return g_n [len(r), n] as the formula has them."""
    coefficients = potential.network.arrays()[name][central, neighbor]
    cutoffs = torch.full_like(r, CUTOFFS[name][central][neighbor])
    return chebyshev_functions(r, cutoffs, coefficients.shape[1]) @ coefficients.T


def tabulated(potential: Potential, name: str, central: int, neighbor: int, r: Tensor) -> Tensor:
    """Return g_n [len(r), n] of the tables."""
    table = potential.network.arrays()[f"{name}.table"][central, neighbor]
    width = CUTOFFS[name][central][neighbor] / len(table)
    return table_features(r, table, 0.0, width, len(table), 0)


@pytest.mark.parametrize("order", [3, 5])
@pytest.mark.parametrize("name", ["NEP", "NEP+ZBL"])
def test_forces_of_the_default_grid(trained: Callable, two_element_frames: list[Frame], name: str, order: int) -> None:
    original = trained(name)
    deviations = compare(original, tabulate(original, 0.05, order), two_element_frames)
    assert 0 < deviations.force_error < {3: 1e-4, 5: 1e-6}[order]
    assert deviations.energy.max_absolute < 1e-6
    assert deviations.virial.max_absolute < 1e-4


@pytest.mark.parametrize(("order", "coarsest", "factor"), [(3, 0.05, 16), (5, 0.1, 64)])
@pytest.mark.parametrize("name", ["radial", "angular"])
def test_order_of_convergence(trained: Callable, name: str, order: int, coarsest: float, factor: float) -> None:
    """Halving dx divides the error of each function by 2^(order + 1), from distance 0 to the cutoff of the pair."""
    original, errors = trained("NEP"), []
    r = torch.linspace(0, CUTOFFS[name][0][1], 4001, dtype=torch.float64)
    for dx in (coarsest, coarsest / 2, coarsest / 4):
        compressed = tabulate(original, dx, order)
        difference = tabulated(compressed, name, 0, 1, r) - functions(original, name, 0, 1, r)
        errors.append(float(difference.abs().max()))
    assert errors[-1] > 1e-13  # not yet rounding
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert coarse / fine == pytest.approx(factor, rel=0.25)


@pytest.mark.parametrize("order", [3, 5])
@pytest.mark.parametrize("name", ["radial", "angular"])
def test_smooth_from_zero_to_the_cutoff(trained: Callable, name: str, order: int) -> None:
    """Values and slopes are those of the functions at each node, from both sides, and zero at the cutoff."""
    original = trained("NEP")
    compressed = tabulate(original, 0.1, order)
    cutoff = CUTOFFS[name][1][0]
    n_intervals = compressed.network.arrays()[f"{name}.table"].shape[2]
    nodes = cutoff / n_intervals * torch.arange(n_intervals + 1, dtype=torch.float64)
    for r in (nodes[:-1] + 1e-10, nodes[1:] - 1e-10):
        results = []
        for form, source in ((tabulated, compressed), (functions, original)):
            one = torch.ones_like(r)
            results.append(torch.func.jvp(lambda x, f=form, s=source: f(s, name, 1, 0, x), (r,), (one,)))
        for actual, expected in zip(*results, strict=True):
            assert (actual - expected).abs().max() < 1e-7
    end = tabulated(compressed, name, 1, 0, nodes[-1:])
    assert end.abs().max() < 1e-14


def test_tables_are_as_good_at_all_distances(trained: Callable, two_element_frames: list[Frame]) -> None:
    """Crystals squeezed to half their size are far from the training data, not from the uncompressed model."""
    original = trained("NEP")
    compressed = tabulate(original, 0.01, 5).frozen()
    dense = [replace(frame, positions=0.5 * frame.positions, cell=0.5 * frame.cell) for frame in two_element_frames]
    error, forces = compare(original, compressed, dense).force_error, next(iter(predict_frames(original, dense))).forces
    assert error < 1e-6 * np.abs(forces).max()
    assert compressed.overflows()[0] > 0
    assert compressed.network.overflows() == (0, 0)


@pytest.mark.parametrize("name", ["NEP", "NEP+ZBL"])
def test_checkpoint_round_trip(
    make_checkpoint: Callable,
    two_element_frames: list[Frame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    source = make_checkpoint(name)
    monkeypatch.chdir(tmp_path)
    result = compress_model(source)
    assert result.output == Path("cmp_nep_model.ckpt")
    read = read_model(result.output)
    assert isinstance(read.potential.network, CompressedNEP)
    assert (read.config["model_type"], read.config["model"]["table"]["dx"]) == ("NEP_COMPRESSED", 0.05)
    assert result.range_source == ""
    assert "training data" in result.measured_on
    dataset = FrameDataset(two_element_frames, read.potential.elements, read.potential.cutoff)
    batch = dataset.batch(range(len(dataset)))
    for value, expected in zip(
        vars(predict(read.potential, batch)).values(), vars(predict(result.potential, batch)).values(), strict=True
    ):
        assert value is expected is None or torch.equal(value, expected)
    with pytest.raises(ModelFileError, match="compressed already"):
        compress_model(result.output, save="again")


def test_what_is_kept_of_the_training(make_checkpoint: Callable, trained: Callable, tmp_path: Path) -> None:
    result = compress_model(make_checkpoint(), save=tmp_path / "small")
    assert list(result.shortest.values()) == trained("DP").network.environment.shortest.tolist()
    result = compress_model(make_checkpoint("NEP"), save=tmp_path / "small")
    shortest = trained("NEP").shortest
    assert list(result.shortest.values()) == shortest.amin(1).tolist()
    assert torch.equal(read_model(result.output).potential.shortest, shortest)


@pytest.mark.parametrize("dtype", ["float64", "mixed", "float32"])
def test_exported(make_checkpoint: Callable, two_element_frames: list[Frame], tmp_path: Path, dtype: str) -> None:
    """The numbers of the checkpoint, also in ASE; the file says that it has tables."""
    from ase import Atoms

    small = compress_model(make_checkpoint("NEP"), order=5, save=tmp_path / "small").output
    exported = read_model(export_model(small, dtype=dtype))
    assert exported.metadata is not None
    assert exported.metadata.table == {"order": 5, "dx": 0.05, "shortest": {}}
    tolerance = {"float64": 1e-10, "mixed": 1e-5, "float32": 1e-4}[dtype]
    expected = list(predict_frames(read_model(small).potential, two_element_frames))
    for a, b in zip(predict_frames(exported.potential, two_element_frames), expected, strict=True):
        np.testing.assert_allclose(a.forces, b.forces, rtol=0, atol=tolerance)
    frame = expected[0].frame
    atoms = Atoms(frame.atomic_numbers, frame.positions, cell=frame.cell, pbc=True)
    atoms.calc = PwmlffCalculator(small, device="cpu")
    np.testing.assert_allclose(atoms.get_forces(), expected[0].forces, rtol=0, atol=1e-10)
    assert atoms.calc.table_overflows == (0, 0)
    with pytest.raises(ModelFileError, match="a nep.txt holds a NEP, not a model of the type NEP_COMPRESSED"):
        write_nep_txt(tmp_path / "small.txt", read_model(small).potential)


def test_a_nep_txt_with_data(nep_file: Path, data_file: Path, tmp_path: Path) -> None:
    result = run("compress", nep_file, data_file, "-d", "auto", "-o", "5", "-s", tmp_path / "small")
    assert result.exit_code == 0, result.output
    assert "8 tables, one per (central, neighbour) type, radial and angular: order 5, dx 0.2" in result.output
    assert "range from distance 0 to the cutoffs; later counted as too near: none (the model knows" in result.output
    assert "measured on the 6 frames given" in result.output
    result = run("test", tmp_path / "small.ckpt", data_file, "--no-plots")
    assert result.exit_code == 0, result.output


def test_a_nep_txt_alone(nep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("compress", "nep.txt")
    assert result.exit_code == 0, result.output
    assert "made-up structures with distances of covalent radii (the model names none)" in result.output
    assert "unknown" in result.output
    assert "wrote cmp_nep_model.ckpt" in result.output


def test_structures_of_covalent_radii(nep_file: Path) -> None:
    """They are as dense as a liquid, and no two atoms of an element are nearer than a molecule's."""
    potential = read_model(nep_file).potential
    shortest = covalent_distances(potential.elements)
    frames = hard_sphere_frames(potential, shortest, 0.0, 2)
    for frame in frames:
        radii = shortest[[potential.elements.index({29: "Cu", 79: "Au"}[z]) for z in frame.atomic_numbers]] / 2
        assert frame.cell is not None
        packing = 4 / 3 * np.pi * (radii**3).sum() / abs(np.linalg.det(frame.cell))
        assert packing == pytest.approx(0.5, rel=0.02)
    batch = FrameDataset(frames, potential.elements, potential.cutoff).batch([0, 1])
    centers = batch.atom_types[batch.pair_centers]
    distances = torch.linalg.vector_norm(batch.pair_vectors, dim=-1)
    for element, least in enumerate(shortest):
        assert distances[centers == element].min() >= least


@pytest.mark.parametrize(("microseconds", "pays"), [(1.0, True), (3.0, False)])
def test_says_where_tables_do_not_pay(
    make_checkpoint: Callable, tmp_path: Path, microseconds: float, pays: bool
) -> None:
    result = compress_model(make_checkpoint("NEP"), save=tmp_path / "small")
    times = {"original": Spread(2.0, 2.0, 90.0), "compressed": Spread(microseconds, microseconds, 50.0)}
    result = replace(result, speed=replace(result.speed, **times))
    with StringIO() as text:
        print_report(result, Console(file=text, width=200))
        assert ("the tables do not pay here" in text.getvalue()) is not pays


@pytest.mark.parametrize("dx", ["1e-9", "1e-300"])
def test_tables_that_cannot_fit_are_refused(nep_file: Path, tmp_path: Path, dx: str) -> None:
    result = run("compress", nep_file, "-d", dx, "-s", tmp_path / "fine")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert f"tables with a grid spacing of {float(dx):g} take " in result.stderr
    assert not (tmp_path / "fine.ckpt").exists()
