"""nep.txt: every line of the text, models there and back, and what GPUMD prints for one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pwmlff import PwmlffCalculator
from pwmlff.cli.main import app
from pwmlff.config import RunConfig
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ModelFileError
from pwmlff.export import export_as
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.files import format_of, read_model
from pwmlff.models.files.checkpoint import load_potential, save_checkpoint
from pwmlff.models.files.nep_parser import NepTextError, parse_nep
from pwmlff.models.files.nep_txt import write_nep_txt
from pwmlff.models.nep import NEP, NEPConfig
from pwmlff.ops.reference import UNIVERSAL_SCREENING
from pwmlff.train import train_from_config

FOLDER = Path(__file__).parent / "data" / "nep"
NAMES = sorted(path.name for path in FOLDER.glob("*.txt"))
DAMAGED = json.loads((FOLDER / "damaged.json").read_text())
FLEXIBLE = tuple((0.25 * k, 2.0 + 0.25 * k, 0.2, 3.0, 0.5, 0.9, 0.2, 0.4, 0.1, 0.2) for k in range(6))
MODEL = {
    "descriptor": {"cutoff": [4.5, 4.0], "n_max": [3, 2], "basis_size": [4, 3], "l_max": [4, 2, 1]},
    "fitting_net": {"network_size": 5},
}


def changed(name: str, lines: Mapping[str, str | None]) -> bytes:
    """Return a file with other lines; None leaves one out, and one after the last is added."""
    text: list[str | None] = [*(FOLDER / name).read_text().splitlines()]
    for number, line in lines.items():
        text[int(number) - 1 : int(number)] = [line]
    return "".join(f"{line}\n" for line in text if line is not None).encode()


def make(
    elements: tuple[str, ...] = ("Cu", "Au"),
    zbl: ZBLConfig | None = None,
    dtype: str = "float64",
    seed: int = 0,
    **keys: Any,
) -> Potential:
    torch.manual_seed(seed)
    descriptor = {**MODEL["descriptor"], **keys.pop("descriptor", {})}
    config = NEPConfig.model_validate({**MODEL, "descriptor": descriptor, **keys})
    potential = build_potential("NEP", config, elements, dtype, zbl)
    for b1 in dict.fromkeys(network_of(potential).b1):
        torch.nn.init.normal_(b1)
    return potential


def network_of(potential: Potential) -> NEP:
    assert isinstance(potential.network, NEP)
    return potential.network


def write(folder: Path, potential: Potential) -> tuple[Path, str]:
    path = folder / "nep.txt"
    return path, write_nep_txt(path, potential)


def pairs_of(frames: list[Frame], elements: tuple[str, ...] = ("Cu", "Au")) -> tuple[torch.Tensor, ...]:
    dataset = FrameDataset(frames, elements, 4.5)
    return dataset.batch(range(len(dataset))).pairs


@pytest.mark.parametrize("case", DAMAGED, ids=lambda case: case["says"][:60])
def test_damaged_lines(case: dict[str, Any], tmp_path: Path) -> None:
    """The plugin is tested with the same table."""
    content = changed(case["file"], case["lines"])
    with pytest.raises(NepTextError) as error:
        parse_nep(content)
    assert str(error.value) == case["says"]
    path = tmp_path / "nep.txt"
    path.write_bytes(content)
    if format_of(path) is not None:
        with pytest.raises(ModelFileError) as refusal:
            read_model(path)
        assert str(refusal.value) == f"'{path}' {case['says']}"


@pytest.mark.parametrize("name", NAMES)
def test_text_there_and_back(name: str, tmp_path: Path) -> None:
    text = (FOLDER / name).read_text()
    assert parse_nep(text.encode()).text() == text
    path, words = write(tmp_path, read_model(FOLDER / name).potential)
    if name != "nep3.txt":  # which does not tell numbers of neighbours
        assert path.read_text() == text
    assert words.split(";")[0] == name[:4]


def test_places_of_numbers() -> None:
    """By their line: nets by central type, coefficients with the neighbour's type as the last index."""
    lines = (FOLDER / "nep5_zbl.txt").read_text().splitlines()
    file, numbers = parse_nep((FOLDER / "nep5_zbl.txt").read_bytes()), [float(line) for line in lines[7:]]
    assert (file.version, file.elements, file.neighbors, file.neurons) == (5, ("Te", "Pb"), (60, 30), 2)
    assert (file.n_max, file.basis_size, file.l_max, file.extras) == ((1, 0), (1, 1), 2, (1, 0, 0, 0, 0, 0))
    assert file.cutoffs.tolist() == [[5.0, 4.0], [4.5, 3.5]]
    assert file.zbl == ZBLConfig(inner=1.0, outer=2.5, typewise_factor=0.7)
    size = 2 * (5 + 2)
    for central in range(2):
        first = central * (size + 1)
        assert file.nets[central].tolist() == numbers[first : first + size]
        assert file.biases[central] == numbers[first + size]
    assert file.common_bias == numbers[2 * (size + 1)]
    place = 2 * (size + 1) + 1
    for array, n_max in ((file.radial, 2), (file.angular, 1)):
        for n in range(n_max):
            for k in range(2):
                for i in range(2):
                    for j in range(2):
                        assert array[i, j, n, k] == numbers[place]
                        place += 1
    assert file.scaler.tolist() == numbers[place:]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("nep4.txt", {"5": "l_max 2 1 0"}),
        ("nep4.txt", {"5": "l_max 2 2 0 0 0 0 0"}),
        ("nep4.txt", {"2": "cutoff 5.0 4 5 4.0 60 30"}),
        ("nep4.txt", {"2": "cutoff 5 4 60 30 -1 -1 0.65"}),
        ("nep4.txt", {"2": " cutoff\t5 4 60 30 0 0 0 \r", "1": "nep4 2 Te Pb \r"}),
        ("nep4.txt", {"65": " \r\n\n"}),
        ("nep5_zbl.txt", {"2": "zbl 1.00 2.5 0.7"}),
    ],
)
def test_other_ways_to_write_the_same(name: str, lines: dict[str, str]) -> None:
    assert parse_nep(changed(name, lines)).text() == (FOLDER / name).read_text()


def test_ends_of_lines_and_digits_of_others() -> None:
    text = (FOLDER / "nep4.txt").read_text()
    assert parse_nep(text.replace("\n", "\r\n").encode()).text() == text
    assert parse_nep(text.rstrip().encode()).text() == text
    read = parse_nep(changed("nep4.txt", {"7": " +.12345678901234E+01", "8": "2", "9": "3.", "10": "-1e-400"}))
    assert read.nets[0, :4].tolist() == [1.2345678901234, 2.0, 3.0, 0.0]


def test_cutoffs_by_covalent_radii() -> None:
    """Of GPUMD 3.9.5: bound by factors of the sums of radii, where such a bound is the mean of two numbers."""
    radii = np.array([0.84, 1.34667])
    flexible = "nep4_zbl_flexible.txt"
    file = parse_nep(changed(flexible, {"3": "cutoff 9 8 60 30 2.5 2 -1"}))
    np.testing.assert_allclose(file.cutoffs, radii[:, None] * np.array([5.0, 4.0]), rtol=1e-15)
    assert parse_nep(file.text().encode()).cutoffs.tolist() == file.cutoffs.tolist()
    file = parse_nep(changed(flexible, {"3": "cutoff 4.2 3.3 60 30 2.5 2 -1"}))
    assert file.cutoffs.tolist() == [[4.2, 3.3]] * 2


def test_repulsion_by_covalent_radii_on_the_line_of_cutoffs() -> None:
    """As GPUMD had it before the line `zbl` had a factor: it begins to fall at half of its range."""
    file = parse_nep(changed("nep5_zbl.txt", {"2": "zbl 1 2", "3": "cutoff 5 4 60 30 -1 -1 0.6"}))
    assert file.zbl is not None
    assert file.zbl.flexible is not None
    ends = [0.6 * (1.64 + 1.64), 2.0, 2.0]  # Te and Te, beyond 2 Å for others
    assert [row[:2] for row in file.zbl.flexible] == [(pytest.approx(end / 2), pytest.approx(end)) for end in ends]
    assert all(row[2:] == UNIVERSAL_SCREENING for row in file.zbl.flexible)


@pytest.mark.parametrize("name", NAMES)
def test_energies_of_lonely_atoms(name: str) -> None:
    """Without neighbours an energy is what biases give; they are subtracted."""
    file, potential = parse_nep((FOLDER / name).read_bytes()), read_model(FOLDER / name).potential
    n_types = len(file.elements)
    pairs = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(n_types + 1, dtype=torch.int64), torch.zeros(0).long()
    energies = potential(*pairs, torch.arange(n_types))
    for place, energy in enumerate(energies.tolist()):
        *_, b0, b0_, w1, w1_ = file.nets[0 if file.version == 3 else place]
        bias = file.common_bias + (file.biases[place] if file.version == 5 else 0.0)
        assert energy == pytest.approx(w1 * math.tanh(-b0) + w1_ * math.tanh(-b0_) - bias, rel=1e-14)


@pytest.mark.parametrize(
    ("kind", "zbl", "keys"),
    [
        ("nep3", None, {"version": 3}),
        ("nep4", ZBLConfig(inner=1.0, outer=2.0), {"version": 4}),
        ("nep5", ZBLConfig(inner=1.0, outer=2.5, typewise_factor=0.9), {"version": 5}),
        ("nep5", ZBLConfig(flexible=FLEXIBLE[:3]), {"descriptor": {"l_max": [8, 0, 1, 0, 1, 0, 1]}}),
        ("nep5", None, {"descriptor": {"cutoff": [4.5, 4.0, 4.25, 3.0], "l_max": [0]}}),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_models_there_and_back(
    kind: str,
    zbl: ZBLConfig | None,
    keys: dict[str, Any],
    dtype: str,
    two_element_frames: list[Frame],
    tmp_path: Path,
) -> None:
    potential, pairs = make(zbl=zbl, dtype=dtype, **keys), pairs_of(two_element_frames)
    config = network_of(potential).config
    path, words = write(tmp_path, potential)
    assert words.split(";")[0] == kind
    read = read_model(path)
    assert read.potential.elements == ["Cu", "Au"]
    expected = potential.energies_and_gradients(*pairs)
    for value, other in zip(read.potential.energies_and_gradients(*pairs), expected, strict=True):
        assert (value - other).abs().max() < 2e-6 * other.abs().max()
    section = NEPConfig.model_validate(read.config["model"])
    assert (section.version, section.descriptor.cutoff) == (config.version, config.descriptor.cutoff)
    assert write(tmp_path, read.potential)[0].read_text() == path.read_text()
    save_checkpoint(tmp_path / "m.ckpt", read.potential, config=read.config)
    again = load_potential(tmp_path / "m.ckpt").energies_and_gradients(*pairs)
    assert torch.equal(again[1], read.potential.energies_and_gradients(*pairs)[1])


def test_newer_invariants_are_told_of(tmp_path: Path) -> None:
    assert write(tmp_path, make(descriptor={"l_max": [4, 2, 1, 0, 1]}))[1] == (
        "nep5; older programs (NEP_CPU, nep-adapters) overlook the invariants 123 and go wrong"
    )


def test_energies_of_elements_need_a_nep5(two_element_frames: list[Frame], tmp_path: Path) -> None:
    for version in (3, 4):
        potential, pairs = make(version=version), pairs_of(two_element_frames)
        potential.energy_shift.copy_(torch.tensor([-3.5, -2.25]))
        path, words = write(tmp_path, potential)
        assert words == f"nep5, since a nep{version} has no energies of elements"
        read = read_model(path).potential
        torch.testing.assert_close(read(*pairs), potential(*pairs), rtol=0, atol=1e-6)
        potential.energy_shift.fill_(-2.0)  # the bias of all takes it
        path, words = write(tmp_path, potential)
        assert words == f"nep{version}"
        torch.testing.assert_close(read_model(path).potential(*pairs), potential(*pairs), rtol=0, atol=1e-6)


def test_numbers_of_neighbors(two_element_frames: list[Frame], tmp_path: Path) -> None:
    """Of the training data; otherwise those of a close packing."""
    potential = make(version=4)
    path, _ = write(tmp_path, potential)
    assert path.read_text().splitlines()[1] == "cutoff 4.5 4 68 48"
    dataset = FrameDataset(two_element_frames, ["Cu", "Au"], 4.5)
    potential.collect_statistics(iterate_batches(dataset, 4))
    vectors, start, *_ = pairs_of(two_element_frames)
    distances = [vectors[a:b].norm(dim=1) for a, b in zip(start[:-1], start[1:], strict=True)]
    most = [max(int((near < cutoff).sum()) for near in distances) for cutoff in (4.5, 4.0)]
    path, _ = write(tmp_path, potential)
    assert path.read_text().splitlines()[1] == f"cutoff 4.5 4 {most[0]} {most[1]}"
    assert network_of(read_model(path).potential).neighbors.tolist() == most


@pytest.mark.parametrize(
    ("potential", "message"),
    [
        (
            lambda: build_potential("DP", MODELS["DP"].Config(), ["Cu"]),
            "a nep.txt holds a NEP, not a model of the type DP",
        ),
        (
            lambda: make(zbl=ZBLConfig(inner=1.0, outer=4.2)),
            "reaches to 4.2 Å, expected at most their angular cutoff 4 Å",
        ),
        (
            lambda: _with_infinity(make()),
            "cannot hold the model: line 7: expected one number of the net of Cu, got `inf`",
        ),
    ],
)
def test_what_a_file_cannot_hold(potential: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        write(tmp_path, potential())
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def _with_infinity(potential: Potential) -> Potential:
    with torch.no_grad():
        network_of(potential).nets[0].w0[0, 0] = torch.inf
    return potential


def test_wherever_a_model_is(two_element_frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take it as any other model, ASE too."""
    monkeypatch.chdir(tmp_path)
    potential = make(version=4)
    write(tmp_path, potential)
    write_nep_txt(tmp_path / "other.txt", make(version=4, seed=1))
    write_extxyz(tmp_path / "frames.xyz", two_element_frames)
    invoke = CliRunner().invoke
    for arguments in (
        "test nep.txt frames.xyz",
        "infer nep.txt frames.xyz",
        "devi nep.txt other.txt frames.xyz",
        "export nep.txt --format nep -o again.txt",
    ):
        done = invoke(app, arguments.split())
        assert done.exit_code == 0, f"{arguments}\n{done.output}"
    assert (tmp_path / "again.txt").read_text() == (tmp_path / "nep.txt").read_text()
    assert "again.txt: nep4, checked" in done.output
    atoms = ase.io.read(tmp_path / "frames.xyz", 2)
    atoms.calc = PwmlffCalculator(tmp_path / "nep.txt")
    expected = potential(*pairs_of(two_element_frames[2:3])).sum().item()
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-5)


def test_export_of_a_checkpoint(tmp_path: Path, two_element_frames: list[Frame]) -> None:
    """Of a float32 training, with energies of elements."""
    potential = make(version=4, dtype="float32", zbl=ZBLConfig(inner=1.0, outer=2.0))
    potential.energy_shift.copy_(torch.tensor([-1500.25, -2200.5]))
    section = {"model": network_of(potential).config.model_dump(mode="json"), "zbl": {"inner": 1.0, "outer": 2.0}}
    save_checkpoint(tmp_path / "nep_model.ckpt", potential, config=section)
    path, words = export_as(tmp_path / "nep_model.ckpt", "NEP")
    assert path == tmp_path / "nep_model.txt"
    assert words == "nep5, since a nep4 has no energies of elements"
    read, pairs = read_model(path).potential, pairs_of(two_element_frames)
    torch.testing.assert_close(read(*pairs), potential(*pairs), rtol=0, atol=1e-4)
    settings = MODELS["DP"].Config()
    deep = build_potential("DP", settings, ["Cu"])
    save_checkpoint(tmp_path / "dp.ckpt", deep, config={"model": settings.model_dump(mode="json")})
    with pytest.raises(ModelFileError, match="holds a NEP, not a model of the type DP"):
        export_as(tmp_path / "dp.ckpt", "nep")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dp.ckpt", "nep_model.ckpt", "nep_model.txt"]


def test_export_refuses(tmp_path: Path) -> None:
    path, _ = write(tmp_path, make())
    for arguments, message in (
        ((path, "nep", path), "is the model itself; name another file with --output"),
        ((path, "npe", tmp_path / "x"), "format 'npe' is unknown; did you mean 'nep'?"),
    ):
        with pytest.raises(ModelFileError) as error:
            export_as(*arguments)
        assert message in str(error.value)
    refusal = CliRunner().invoke(app, ["export", str(path), "--format", "nep", "--dtype", "mixed"])
    assert refusal.exit_code == 1
    assert "--dtype is for the format pt" in refusal.output


def test_a_folder_and_other_texts_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "nep").mkdir()
    (tmp_path / "x.txt").write_text("energies of nep\n")
    for name in ("nep", "x.txt"):
        assert format_of(tmp_path / name) is None
        with pytest.raises(ModelFileError, match="is no model"):
            read_model(tmp_path / name)


@pytest.mark.parametrize("given", [{}, {"zbl": None}, {"zbl": {"inner": 0.5, "outer": 1.0}}])
def test_start_of_a_training(given: dict[str, Any], two_element_frames: list[Frame], tmp_path: Path) -> None:
    """Two of three elements in another order; what the run file does not say of the model is as in the file."""
    start = make(("H", "Cu", "Au"), ZBLConfig(flexible=FLEXIBLE), version=4)
    path, _ = write(tmp_path, start)
    write_extxyz(tmp_path / "frames.xyz", two_element_frames[:3])
    optimizer = {"optimizer": "ADAM", "epochs": 1, "learning_rate": 1e-12, "stop_lr": 1e-12}
    values = {"model_type": "NEP", "atom_type": ["Au", "Cu"], "model_load_file": str(path), "optimizer": optimizer}
    values |= {"train_data": [str(tmp_path / "frames.xyz")], "valid_ratio": 0.0, "ema_decay": 0.0, **given}
    config = RunConfig(**values, model_store_dir=str(tmp_path / "run"))
    trained = load_potential(train_from_config(config))
    assert trained.elements == ["Au", "Cu"]
    of_pairs = [FLEXIBLE[place] for place in (5, 4, 3)]  # Au-Au, Au-Cu, Cu-Cu
    expected = given.get("zbl", {"flexible": of_pairs})
    repulsions = [repulsion.config for repulsion in trained.repulsion]
    assert repulsions == ([] if expected is None else [ZBLConfig.model_validate(expected)])
    pairs = pairs_of(two_element_frames, ("Au", "Cu"))
    own = start.network(*pairs_of(two_element_frames, ("H", "Cu", "Au")))
    torch.testing.assert_close(trained.network(*pairs), own, rtol=0, atol=1e-6)


def test_what_gpumd_prints(shared_data: Path) -> None:
    """Energies, forces and virials of its example, to the digits it prints of its float32."""
    folder = shared_data / "nep_PbTe25"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    energies, forces, virials = (np.loadtxt(folder / f"{name}_train.out") for name in ("energy", "force", "virial"))
    calculator, first = PwmlffCalculator(folder / "nep.txt"), 0
    for index, atoms in enumerate(ase.io.read(folder / "train.xyz", ":")):
        atoms.calc = calculator
        n_atoms = len(atoms)
        assert atoms.get_potential_energy() / n_atoms == pytest.approx(energies[index, 0], abs=1e-5)
        expected = forces[first : first + n_atoms, :3]
        np.testing.assert_allclose(atoms.get_forces(), expected, rtol=0, atol=1e-4)
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume() / n_atoms
        printed = virial[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]]
        np.testing.assert_allclose(printed, virials[index, :6], rtol=0, atol=1e-5)
        first += n_atoms
