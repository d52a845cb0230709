"""A model tested on labelled frames: numbers against an independent computation, files, tables, memory bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pwmlff import keys
from pwmlff.data.frame import Frame
from pwmlff.errors import DataFormatError, ModelFileError
from pwmlff.evaluate import ErrorSummary, FrameResult, evaluate_model, predict_frames
from pwmlff.evaluate.files import MISSING_VIRIAL
from pwmlff.evaluate.report import print_report, report_console
from pwmlff.models import Potential
from pwmlff.models.base import Network

CUTOFF = 4.0


class PairRepulsion(Network):
    """E_i = sum_j a_{t_i} a_{t_j} (1 - r / r_c)^3 / 2: a model whose derivatives can be written down."""

    def __init__(self) -> None:
        super().__init__()
        self.cutoff = CUTOFF
        self.strength = torch.nn.Parameter(torch.tensor([2.0, 3.0], dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        counts = pair_start[1:] - pair_start[:-1]
        centers = torch.repeat_interleave(torch.arange(len(atom_types)), counts)
        shape = (1.0 - pair_vectors.norm(dim=1) / self.cutoff) ** 3
        energies = 0.5 * self.strength[atom_types[centers]] * self.strength[pair_types] * shape
        return torch.zeros(len(atom_types), dtype=torch.float64).index_add(0, centers, energies)


@pytest.fixture
def potential() -> Potential:
    potential = Potential(PairRepulsion(), ["Cu", "Au"])
    potential.set_energy_shift(np.array([-3.0, -4.0]))
    return potential


def closed_form(frame: Frame) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial of `PairRepulsion` from a loop over periodic images."""
    strength = np.where(frame.atomic_numbers == 29, 2.0, 3.0)
    energy = np.where(frame.atomic_numbers == 29, -3.0, -4.0).sum()
    forces, virial = np.zeros((len(frame), 3)), np.zeros((3, 3))
    images = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3) @ frame.cell
    for i in range(len(frame)):
        for j in range(len(frame)):
            vectors = frame.positions[j] - frame.positions[i] + images
            distances = np.linalg.norm(vectors, axis=1)
            near = (distances > 1e-6) & (distances < CUTOFF)
            vectors, distances = vectors[near], distances[near]
            product = 0.5 * strength[i] * strength[j]
            energy += product * np.sum((1 - distances / CUTOFF) ** 3)
            slope = -3 * product / CUTOFF * (1 - distances / CUTOFF) ** 2
            gradients = (slope / distances)[:, None] * vectors
            forces[i] += gradients.sum(axis=0)
            forces[j] -= gradients.sum(axis=0)
            virial -= vectors.T @ gradients
    return float(energy), forces, virial


def relabelled(frames: Sequence[Frame]) -> list[Frame]:
    """The frames with the toy model's own closed form as labels."""
    labelled = []
    for frame in frames:
        energy, forces, virial = closed_form(frame)
        labelled.append(replace(frame, energy=energy, forces=forces, virial=virial))
    return labelled


def test_perfect_model_has_no_error(potential: Potential, two_element_frames: list[Frame], tmp_path: Path) -> None:
    summary = evaluate_model(potential, relabelled(two_element_frames), tmp_path, plots=False)
    errors = summary.total.as_dict()
    for name in ("energy_rmse_per_atom", "force_rmse", "virial_rmse_per_atom", "force_max", "virial_mae_per_atom"):
        assert errors[name] < 1e-12, name
    assert errors["energy_r2"] == pytest.approx(1.0)


def test_summary_against_independent_numbers(
    potential: Potential, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    evaluate_model(potential, two_element_frames, tmp_path, model_name="m.ckpt", data_names=["a.xyz"], plots=False)
    written = json.loads((tmp_path / "summary.json").read_text())
    results = [(frame, *closed_form(frame)) for frame in two_element_frames]
    energy = np.array([(e - frame.energy) / len(frame) for frame, e, _, _ in results])
    forces = np.concatenate([f - frame.forces for frame, _, f, _ in results])
    virial = np.stack([(v - frame.virial) / len(frame) for frame, _, _, v in results])
    for name, tail, error in (("energy", "_per_atom", energy), ("force", "", forces), ("virial", "_per_atom", virial)):
        assert written[f"{name}_rmse{tail}"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
        assert written[f"{name}_mae{tail}"] == pytest.approx(np.mean(np.abs(error)), rel=1e-9)
        assert written[f"{name}_max{tail}"] == pytest.approx(np.abs(error).max(), rel=1e-9)
    labels = np.concatenate([frame.forces for frame in two_element_frames])
    expected_r2 = 1 - np.sum(forces**2) / np.sum((labels - labels.mean()) ** 2)
    assert written["force_r2"] == pytest.approx(expected_r2, rel=1e-9)
    assert written["n_frames"] == 6
    assert written["n_atoms"] == sum(map(len, two_element_frames))
    assert (written["model"], written["data"], written["n_skipped_frames"]) == ("m.ckpt", ["a.xyz"], 0)


@pytest.mark.parametrize(("batch_size", "max_pairs"), [(1, 10**9), (None, 1), (4, 300), (None, 10**9)])
def test_batching_changes_nothing(
    potential: Potential, two_element_frames: list[Frame], batch_size: int | None, max_pairs: int
) -> None:
    results = list(predict_frames(potential, two_element_frames, batch_size=batch_size, max_pairs=max_pairs))
    assert [result.frame.index for result in results] == [0, 1, 2, 3, 4, 5]
    for result in results:
        energy, forces, virial = closed_form(result.frame)
        assert result.energy == pytest.approx(energy, abs=1e-11)
        assert result.atomic_energies.sum() == pytest.approx(energy, abs=1e-11)
        np.testing.assert_allclose(result.forces, forces, atol=1e-12)
        np.testing.assert_allclose(result.virial, virial, atol=1e-12)


def test_absent_labels_are_null_and_masked(
    potential: Potential, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    bare = {"energy": None, "forces": None, "virial": None}
    frames = [*two_element_frames[:2], *(replace(frame, **bare) for frame in two_element_frames[2:])]
    frames = [replace(frame, virial=None) for frame in frames]
    with pytest.raises(DataFormatError, match=r"cuau.xyz frame 2 has no label to compare with; `--unlabelled` takes"):
        evaluate_model(potential, frames, tmp_path)
    evaluate_model(potential, frames, tmp_path, skipped=(dropped := []), plots=False)
    assert len(dropped) == 4
    summary = evaluate_model(potential, frames, tmp_path, unlabelled=True)
    labelled = evaluate_model(potential, two_element_frames[:2], tmp_path / "labelled", plots=False)
    written = json.loads((tmp_path / "summary.json").read_text())
    for name in ("virial_rmse_per_atom", "virial_mae_per_atom", "virial_r2", "atomic_energy_rmse"):
        assert written[name] is None, name
    assert written["n_labelled_frames"] == {"energy": 2, "forces": 2, "virial": 0, "atomic_energies": 0}
    assert summary.total.errors[keys.FORCES] == labelled.total.errors[keys.FORCES]
    assert (tmp_path / "Force.png").exists()
    assert not (tmp_path / "Virial.png").exists()


def test_a_test_that_fails_leaves_the_results_of_the_one_before(
    potential: Potential, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    folder = tmp_path / "deep/test_result"
    with pytest.raises(DataFormatError, match="no frame to test on"):
        evaluate_model(potential, [], folder)
    assert not folder.exists()
    evaluate_model(potential, two_element_frames[:2], folder)
    (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    silver = replace(two_element_frames[1], atomic_numbers=np.full(len(two_element_frames[1]), 47))
    with pytest.raises(DataFormatError, match="Ag"):
        evaluate_model(potential, [two_element_frames[2], silver], folder, batch_size=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_results_are_of_one_test(potential: Potential, two_element_frames: list[Frame], tmp_path: Path) -> None:
    """A picture of an earlier test is not left beside numbers of this one, and files of others stay."""
    evaluate_model(potential, two_element_frames[:1], tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    evaluate_model(potential, [replace(two_element_frames[1], virial=None)], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"Energy.png", "Force.png", "summary.json", "dft_virial.txt", "notes.txt"} <= names
    assert "Virial.png" not in names
    evaluate_model(potential, two_element_frames[:1], tmp_path, plots=False)
    assert not list(tmp_path.glob("*.png"))


def test_atomic_energies_are_compared_when_labelled(potential: Potential, two_element_frames: list[Frame]) -> None:
    (result,) = predict_frames(potential, two_element_frames[:1])
    summary = ErrorSummary()
    summary.add(replace(result, frame=replace(result.frame, atomic_energies=result.atomic_energies + 0.5)))
    assert summary.total.as_dict()["atomic_energy_rmse"] == pytest.approx(0.5)


def test_sources_and_elements_add_up(potential: Potential, two_element_frames: list[Frame], tmp_path: Path) -> None:
    frames = [replace(frame, source=f"part{index % 2}.xyz") for index, frame in enumerate(two_element_frames)]
    summary = evaluate_model(potential, frames, tmp_path, plots=False)
    total = summary.total.errors
    first, second = (summary.per_source[name].errors for name in ("part0.xyz", "part1.xyz"))
    for label in (keys.ENERGY, keys.FORCES, keys.VIRIAL):
        joined = first[label] + second[label]
        assert joined.count == total[label].count
        assert joined.rmse == pytest.approx(total[label].rmse, rel=1e-12)
    elements = summary.per_element["Cu"] + summary.per_element["Au"]
    assert elements.count == total[keys.FORCES].count
    assert elements.rmse == pytest.approx(total[keys.FORCES].rmse, rel=1e-12)
    assert sum(summary.atoms_of.values()) == summary.total.n_atoms


def test_result_files(potential: Potential, two_element_frames: list[Frame], tmp_path: Path) -> None:
    frames = [two_element_frames[1], replace(two_element_frames[2], virial=None)]
    evaluate_model(potential, frames, tmp_path, plots=False)
    read = {path.stem: path for path in tmp_path.glob("*.txt")}
    np.testing.assert_array_equal(np.loadtxt(read["image_atom_nums"]), [8, 16])
    np.testing.assert_allclose(np.loadtxt(read["dft_total_energy"]), [frame.energy for frame in frames], rtol=1e-11)
    np.testing.assert_allclose(np.loadtxt(read["dft_force"]), np.concatenate([f.forces for f in frames]), rtol=1e-10)
    virial = np.loadtxt(read["dft_virial"])
    np.testing.assert_allclose(virial[0], frames[0].virial.ravel(), rtol=1e-10)
    np.testing.assert_array_equal(virial[1], np.full(9, MISSING_VIRIAL))
    expected = [closed_form(frame) for frame in frames]
    np.testing.assert_allclose(np.loadtxt(read["inference_total_energy"]), [e for e, _, _ in expected], rtol=1e-10)
    np.testing.assert_allclose(
        np.loadtxt(read["inference_force"]), np.concatenate([f for _, f, _ in expected]), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(np.loadtxt(read["inference_virial"])[1], expected[1][2].ravel(), rtol=1e-9, atol=1e-11)
    atomic = [np.array(line.split(), dtype=float) for line in read["inference_atomic_energy"].read_text().splitlines()]
    assert [len(row) for row in atomic] == [8, 16]
    assert atomic[0].sum() == pytest.approx(expected[0][0], abs=1e-8)
    assert read["inference_summary"].read_text().startswith("For 2 images:\n")


def test_report_is_plain_text_in_a_pipe(
    potential: Potential, two_element_frames: list[Frame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate_model(potential, two_element_frames, tmp_path, plots=False)
    print_report(summary, report_console())
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "6 frames, 60 atoms" in text
    assert "force components per element" in text


def test_shifted_energies_are_explained(potential: Potential, two_element_frames: list[Frame], tmp_path: Path) -> None:
    frames = [replace(frame, energy=frame.energy - 2.0 * len(frame)) for frame in relabelled(two_element_frames)]
    summary = evaluate_model(potential, frames, tmp_path, plots=False)
    (hint,) = summary.hints()
    assert "+2 eV/atom" in hint
    assert not evaluate_model(potential, relabelled(two_element_frames), tmp_path, plots=False).hints()


def test_unknown_element_stops_or_is_dropped(
    potential: Potential, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    silver = replace(two_element_frames[0], atomic_numbers=np.full(4, 47))
    frames = [two_element_frames[1], silver]
    with pytest.raises(DataFormatError, match="frame 0 holds Ag"):
        evaluate_model(potential, frames, tmp_path, plots=False)
    skipped: list[str] = []
    summary = evaluate_model(potential, frames, tmp_path, skipped=skipped, plots=False)
    assert summary.total.n_frames == 1
    assert len(skipped) == 1
    assert json.loads((tmp_path / "summary.json").read_text())["n_skipped_frames"] == 1
    evaluate_model(potential, frames[:1], tmp_path, plots=False)
    with pytest.raises(DataFormatError, match="holds Ag"):
        evaluate_model(potential, frames, tmp_path, plots=False)
    assert json.loads((tmp_path / "summary.json").read_text())["n_skipped_frames"] == 0  # with all files of that test
    with pytest.raises(DataFormatError, match="no frame to test on"):
        evaluate_model(potential, [silver], tmp_path, skipped=[], plots=False)


def test_diverged_model_is_named(potential: Potential, two_element_frames: list[Frame]) -> None:
    potential.set_energy_shift(np.array([np.nan, 0.0]))
    with pytest.raises(ModelFileError, match=r"cuau.xyz frame 0.*nan"):
        list(predict_frames(potential, two_element_frames))


def test_results_of_a_lone_atom(potential: Potential) -> None:
    """An atom without neighbours has its energy shift and no force."""
    frame = Frame(atomic_numbers=[79], positions=[[0, 0, 0]], cell=np.zeros((3, 3)), pbc=[False] * 3)
    (result,) = predict_frames(potential, [frame])
    assert isinstance(result, FrameResult)
    assert result.energy == pytest.approx(-4.0)
    np.testing.assert_array_equal(result.forces, np.zeros((1, 3)))
