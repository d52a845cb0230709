"""Folders of n2p2: the same energies as an implementation in loops, there and back, and each damage with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import n2p2_slow
import numpy as np
import pytest
import torch
from ase import Atoms
from typer.testing import CliRunner

from pwmlff import PwmlffCalculator
from pwmlff.cli.main import app
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.export import export_as
from pwmlff.models import Potential, ZBLConfig, build_potential
from pwmlff.models.base import differentiate
from pwmlff.models.bp import BPConfig
from pwmlff.models.bp.stored import function_arrays
from pwmlff.models.files import digest_of, format_of, read_model
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.n2p2_folder import write_n2p2
from pwmlff.models.files.n2p2_input import InputFile
from pwmlff.ops.reference import bp
from pwmlff.units import BOHR, HARTREE

INPUT = """# units angstrom ev
number_of_elements 2
elements O H
atom_energy H -13.6
atom_energy O -432.1
cutoff_type 1 0.0
scale_symmetry_functions
scale_min_short 0.0
scale_max_short 1.0
global_hidden_layers_short 2
global_nodes_short 4 3
element_nodes_short O 1 5
global_activation_short t s l
epochs 20
symfunction_short H 3 H O 0.05 -1.0 4.0 6.0 0.5
symfunction_short H 2 O 0.10 0.8 6.0
symfunction_short H 2 H 0.02 0.0 6.0   # a comment
symfunction_short H 12 0.05 1.0 6.0
symfunction_short O 9 H H 0.05 1.0 2.0 6.0
symfunction_short O 9 H H 0.05 -1.0 2.0 6.0
symfunction_short O 9 O H 0.01 1.0 1.0 6.0 0.3
symfunction_short O 13 0.05 0.2 1.0 3.5 6.0
symfunction_short O 2 H 0.10 0.0 5.5
"""
SYMBOLS = ["O", "H", "H", "O", "H"]
N_FUNCTIONS = {"H": 4, "O": 5}


def positions() -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 1.2, (5, 3)) + np.array(
        [[0, 0, 0], [2, 0, 0], [0, 2, 0], [2, 2, 1], [0, 1, 2.0]]
    )


def write_folder(folder: Path, text: str = INPUT, hidden: dict[str, tuple[int, ...]] | None = None) -> Path:
    """Write a model with random numbers."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    (folder / "input.nn").write_text(text)
    rows = []
    for place, element in enumerate(("H", "O"), start=1):
        for number in range(1, N_FUNCTIONS[element] + 1):
            low, high = sorted(random.uniform(0, 2, 2))
            rows.append(f"{place} {number} {low:.8f} {high:.8f} {(low + high) / 2:.8f} {(high - low) / 3:.8f}")
        widths = [N_FUNCTIONS[element], *(hidden or {"H": (4, 3), "O": (5, 3)})[element], 1]
        n_numbers = sum((below + 1) * above for below, above in zip(widths, widths[1:], strict=False))
        name = f"weights.{1 if element == 'H' else 8:03d}.data"
        (folder / name).write_text("# a net\n" + "".join(f"{x:.12f}\n" for x in random.normal(size=n_numbers)))
    (folder / "scaling.data").write_text("# comments\n" + "\n".join(rows) + "\n-0.5 0.5\n")
    return folder


def cluster(potential: Potential, x: np.ndarray) -> Batch:
    numbers = [{"H": 1, "O": 8}[symbol] for symbol in SYMBOLS]
    frame = Frame(atomic_numbers=numbers, positions=x, cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool))
    return collate([make_sample(frame, potential.type_of, potential.cutoff)])


def energies_of(folder: Path, x: np.ndarray) -> np.ndarray:
    potential = read_model(folder).potential
    return potential(*cluster(potential, x).pairs).detach().numpy()


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


NORMALISED = "mean_energy -2.5\nconv_energy 4.0\nconv_length 1.7\n"
VARIANTS = {
    "as it is": ("", ""),
    "centred": ("scale_symmetry_functions\n", "center_symmetry_functions\n"),
    "both": ("scale_symmetry_functions\n", "scale_symmetry_functions\ncenter_symmetry_functions\n"),
    "sigma": ("scale_symmetry_functions\n", "scale_symmetry_functions_sigma\n"),
    "bounds": ("scale_min_short 0.0\nscale_max_short 1.0", "scale_min_short -1.0\nscale_max_short 2.0"),
    "not scaled": ("scale_symmetry_functions\n", ""),
    "normalised nodes": ("epochs 20", "normalize_nodes"),
    "normalised data": ("epochs 20\n", NORMALISED),
    "cutoff 2": ("cutoff_type 1 0.0", "cutoff_type 2"),
    "cutoff 3": ("cutoff_type 1 0.0", "cutoff_type 3 0.5"),
    "cutoff 4": ("cutoff_type 1 0.0", "cutoff_type 4 0.1"),
    "cutoff 5": ("cutoff_type 1 0.0", "cutoff_type 5"),
    "cutoff 6": ("cutoff_type 1 0.0", "cutoff_type 6 0.2"),
    "cutoff 7": ("cutoff_type 1 0.0", "cutoff_type 7"),
    "cutoff 8": ("cutoff_type 1 0.0", "cutoff_type 8 0.3"),
    "activations": ("t s l", "p g l"),
    "further ones": ("t s l", "c S l"),
    "others": ("t s l", "e h l"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_energies_and_forces_in_loops(tmp_path: Path, name: str) -> None:
    """An implementation that reads the files by itself gives the same, forces by differences."""
    folder = write_folder(tmp_path / "model", INPUT.replace(*VARIANTS[name]))
    x = positions()
    expected = n2p2_slow.energies(folder, SYMBOLS, x)
    np.testing.assert_allclose(energies_of(folder, x), expected, rtol=1e-11, atol=1e-11)
    potential = read_model(folder).potential
    batch = cluster(potential, x)
    _, gradients = differentiate(potential, *batch.pairs)
    forces = np.zeros_like(x)
    np.add.at(forces, batch.pair_centers.numpy(), gradients.detach().numpy())
    np.subtract.at(forces, batch.pair_neighbors.numpy(), gradients.detach().numpy())
    step = 1e-5
    for atom, axis in ((0, 0), (3, 1)):
        moved = [x.copy(), x.copy()]
        moved[0][atom, axis] += step
        moved[1][atom, axis] -= step
        ahead, behind = (sum(n2p2_slow.energies(folder, SYMBOLS, each)) for each in moved)
        assert forces[atom, axis] == pytest.approx(-(ahead - behind) / (2 * step), rel=2e-6, abs=2e-6)


def test_bohr_and_hartree(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, INPUT.replace("angstrom ev", "Bohr Hartree"))
    expected = np.array(n2p2_slow.energies(folder, SYMBOLS, positions() / BOHR)) * HARTREE
    np.testing.assert_allclose(energies_of(folder, positions()), expected, rtol=1e-11)


# functions around the first of these atoms as n2p2's own tests have them: three alike; and S, S, Cu, U
_ATOMS = ((0, 0, 0), (1, 2, 1), (0, 3, -1), (-2, 1, -0.5))
_PUBLISHED = {
    "H 2 H 0.001 0.0 10.0": 4.6578975865793892e-01,
    "H 2 H 0.030 1.0 10.0": 4.2613074319879601e-01,
    "H 3 H H 0.001 1.0 1.0 10.0 0.0": 2.2781144245150042e-02,
    "H 3 H H 0.030 -1.0 4.0 10.0 2.0": 2.6506732726623567e-05,
    "H 9 H H 0.001 1.0 1.0 10.0 0.0": 8.8187604914213763e-02,
    "H 9 H H 0.031 -1.0 4.0 10.0 2.0": 1.0245670290254523e-04,
    "S 2 Cu 0.030 1.0 10.0": 1.8212508087363616e-01,
    "S 2 U 0.030 1.0 10.0": 2.5814603379946083e-01,
    "S 3 S Cu 0.001 1.0 1.0 10.0 0.0": 2.2781144245150042e-02,
    "S 3 S U 0.001 1.0 1.0 10.0 0.0": 1.1723866787654575e-02,
    "S 3 Cu U 0.001 1.0 1.0 10.0 0.0": 1.8921487310992163e-02,
    "S 12 0.001 0.0 10.0": 3.4986591461381153e01,
    "S 12 0.030 1.0 10.0": 3.2935153052088403e01,
    "S 13 0.001 0.0 1.0 1.0 10.0": 7.8310510986904234e01,
    "S 13 0.001 1.0 -1.0 4.0 10.0": 3.6978004634143264e00,
}


@pytest.mark.parametrize("words", _PUBLISHED)
def test_values_of_n2p2(words: str) -> None:
    """The functions are those that n2p2 computes."""
    symbols = ["H"] * 3 if words[0] == "H" else ["S", "S", "Cu", "U"]
    elements = list(dict.fromkeys(symbols))
    text = f"# units angstrom ev\nnumber_of_elements {len(elements)}\nelements {' '.join(elements)}\ncutoff_type 2\n"
    text += "global_hidden_layers_short 1\nglobal_nodes_short 2\nglobal_activation_short t l\n"
    others = [element for element in elements if element != words.split()[0]]
    text += "".join(f"symfunction_short {element} 12 0.1 0 4\n" for element in others)
    head = InputFile(f"{text}symfunction_short {words}\n".encode())
    functions = head.functions[head.elements.index(words.split()[0])]
    arrays = function_arrays(functions, elements, torch.float64)
    arrays |= {"cutoff_function": torch.tensor(head.cutoff_type), "inner_fraction": torch.tensor(0.0)}
    vectors = torch.tensor(_ATOMS[1 : len(symbols)], dtype=torch.float64)
    start = torch.tensor([0, len(vectors), *[len(vectors)] * (len(symbols) - 1)])
    types = torch.tensor([elements.index(symbol) for symbol in symbols])
    (value,) = bp.symmetry_functions(arrays, vectors, start, types[1:], types)[0].values[0].tolist()
    assert value == pytest.approx(_PUBLISHED[words], rel=1e-12)


def make(**changes: Any) -> Potential:
    """A network with what n2p2 can hold of all that ours have."""
    angular = {"cutoff": 5.0, "eta": 0.1}
    functions = changes.pop("functions", None) or [
        {"type": "G2", "central": "O", "neighbors": ["H"], "cutoff": 5.0, "eta": 0.3, "r_s": 1.0},
        {"type": "G2", "weights": "Z", "cutoff": 5.0, "eta": 0.01},
        {"type": "G1", "neighbors": ["O"], "cutoff": 4.5},
        {"type": "G5", "neighbors": ["O", "H"], **angular, "lambda": -1, "zeta": 4},
        {"type": "G4", "central": "H", "neighbors": ["O", "O"], **angular, "r_s": 0.5, "lambda": 1, "zeta": 2},
        {"type": "G4", "weights": "Z", **angular, "factor": -2.0, "lambda": 1, "zeta": 2.5},
    ]
    net = {"network_size": {"O": [6, 5], "H": [7, 4]}, "activation": ["tanh", "softplus"]}
    descriptor = {"functions": functions, "cutoff_function": "poly2", "inner_fraction": 0.2}
    torch.manual_seed(0)
    config = BPConfig.model_validate({"descriptor": descriptor, "fitting_net": net})
    potential = build_potential("NN", config, ["O", "H"], **changes)
    network: Any = potential.network
    network.scaling[:, 0].normal_()
    network.scaling[:, 1].uniform_(0.1, 3.0)
    network.scaling[1, 1] = 0.0  # a function that was the same for all atoms
    network.ranges[:, 1].uniform_()
    potential.energy_shift.copy_(torch.tensor([-432.1, -13.6], dtype=torch.float64))
    return potential


def save(path: Path, potential: Potential) -> None:
    config: Any = potential.network.config
    save_checkpoint(path, potential, config={"model": config.model_dump(mode="json")})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_there_and_back(tmp_path: Path, dtype: str) -> None:
    """What is read computes the same, and is written as it was, to the last digit."""
    save(tmp_path / "model.ckpt", make(dtype=dtype))
    folder, words = export_as(tmp_path / "model.ckpt", "n2p2", tmp_path / "first")
    assert "input.nn, scaling.data, weights.001.data, weights.008.data" in words
    assert format_of(folder).key == "n2p2"
    again, _ = export_as(folder, "n2p2", tmp_path / "second")
    assert texts_of(again) == texts_of(folder)
    assert digest_of(again) == digest_of(folder)
    if dtype == "float64":
        source = read_model(tmp_path / "model.ckpt").potential
        values = source(*cluster(source, positions()).pairs).detach().numpy()
        np.testing.assert_allclose(n2p2_slow.energies(folder, SYMBOLS, positions()), values, rtol=1e-12)


def test_the_command_writes_a_folder(tmp_path: Path) -> None:
    """Files of others in a folder stay."""
    save(tmp_path / "model.ckpt", make())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes").write_text("mine")
    for _ in range(2):
        command = ["export", str(tmp_path / "model.ckpt"), "--format", "n2p2", "-o", str(tmp_path / "out")]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert sorted(texts_of(tmp_path / "out")) == [
        *("input.nn", "notes", "scaling.data", "weights.001.data", "weights.008.data")
    ]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"zbl": ZBLConfig(inner=0.5, outer=1.0)}, r"short-range repulsion \(`zbl`\)"),
        (
            {"functions": [{"type": "G3", "neighbors": ["O"], "cutoff": 5.0, "kappa": 1.0}]},
            "n2p2 has no function like G3 of each element with O: cutoff 5, kappa 1",
        ),
        ({"functions": [{"type": "G2", "cutoff": 5.0, "eta": 1.0}]}, "no function like G2 of each element with all by"),
    ],
)
def test_what_n2p2_cannot_hold(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelFileError, match=expected):
        write_n2p2(tmp_path / "out", make_any(changes))


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    """For ASE, for testing, and to go on from: what training saves of it is the same model."""
    folder = write_folder(tmp_path / "model")
    atoms = Atoms(SYMBOLS, positions=positions())
    atoms.calc = PwmlffCalculator(folder)
    expected = sum(n2p2_slow.energies(folder, SYMBOLS, positions()))
    assert atoms.get_potential_energy() == pytest.approx(expected, rel=1e-12)
    ase.io.write(tmp_path / "data.xyz", atoms, format="extxyz")
    result = CliRunner().invoke(app, ["test", str(folder), str(tmp_path / "data.xyz"), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    source = read_model(folder)
    save_checkpoint(tmp_path / "model.ckpt", source.potential, config=source.config)
    again, _ = export_as(tmp_path / "model.ckpt", "n2p2")
    assert again == tmp_path / "model.n2p2"
    np.testing.assert_allclose(energies_of(again, positions()), energies_of(folder, positions()), rtol=1e-12)


def make_any(changes: dict[str, Any]) -> Potential:
    if "functions" not in changes:
        return make(**changes)
    config = BPConfig.model_validate({"descriptor": changes})
    return build_potential("NN", config, ["O", "H"])


def in_input(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "input.nn").write_text(INPUT.replace(old, new, 1))


def in_file(name: str, line: int, new: str | None) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        lines[line - 1 : line] = [] if new is None else [new]
        (folder / name).write_text("\n".join([*lines, ""]))

    return damage


def gone(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "input.nn: n2p2's files do not tell their units; add the line `# units angstrom ev`": in_input("# units", "#"),
    "input.nn line 1: expected one line such as `# units angstrom ev`": in_input("angstrom ev", "nm ev"),
    "input.nn line 2: expected `number_of_elements 2`, as many as line 3 has, got": in_input("ments 2", "ments 3"),
    "input.nn line 3: `X` is no element": in_input("elements O H", "elements O X"),
    "input.nn line 3: O is there twice": in_input("elements O H", "elements O O"),
    "input.nn line 4: expected `atom_energy`, an element, and a number, got": in_input("H -13.6", "H -13.6x"),
    "input.nn line 5: a second atom_energy of H": in_input("atom_energy O", "atom_energy H"),
    "input.nn line 6: expected `cutoff_type`, a number from 0 to 8": in_input("cutoff_type 1", "cutoff_type 9"),
    "input.nn line 6: expected `cutoff_type`, a number from 0 to 8, and": in_input("type 1 0.0", "type 1 1.0"),
    "input.nn: there is no line `cutoff_type`": in_input("cutoff_type 1 0.0", ""),
    "input.nn line 8: a second `scale_symmetry_functions`, the first": in_input(
        "scale_min_short 0.0", "scale_symmetry_functions"
    ),
    "input.nn line 8: expected `scale_min_short` and a number, got": in_input("min_short 0.0", "min_short"),
    "input.nn line 10: expected `global_hidden_layers_short` and": in_input("layers_short 2", "layers_short 0"),
    "input.nn line 11: expected `global_nodes_short` and 2 numbers": in_input("nodes_short 4 3", "nodes_short 4"),
    "input.nn line 12: expected `element_nodes_short`, an element": in_input("O 1 5", "O 3 5"),
    "input.nn line 12: expected one of the elements H O behind": in_input("O 1 5", "C 1 5"),
    "input.nn line 13: expected `global_activation_short` and 3 letters": in_input("t s l", "t q l"),
    "input.nn line 13: the last layer has the activation `t`, expected `l`": in_input("t s l", "t s t"),
    "input.nn line 14: expected a keyword of n2p2": in_input("epochs", "epocs"),
    "input.nn line 14: expected a keyword of n2p2, did you mean 'cutoff_type'?": in_input("epochs 20", "cutof_type 1"),
    "input.nn line 14: `committee_mode` stands for committees": in_input("epochs 20", "committee_mode validation"),
    "input.nn line 14: `use_electrostatics` stands for charges": in_input("epochs 20", "use_electrostatics"),
    "input.nn line 14: expected `nnp_type 2G-HDNNP`, a model without charges": in_input(
        "epochs 20", "nnp_type 4G-HDNNP"
    ),
    "input.nn line 14: of mean_energy, conv_energy, conv_length all are": in_input("epochs 20", "mean_energy 1"),
    "input.nn line 15: expected `symfunction_short element 3 neighbour neighbour eta lambda zeta cutoff r_s`": in_input(
        "H O 0.05 -1.0 4.0 6.0 0.5", "H O 0.05 -1.0 4.0"
    ),
    "input.nn line 15: expected a symmetry function of type 2, 3, 9, 12, 13": in_input("H 3 H O", "H 20 H O"),
    "input.nn line 15: zeta: Input should be greater than or equal to 1": in_input(
        "-1.0 4.0 6.0 0.5", "-1.0 0.4 6.0 0.5"
    ),
    "input.nn line 16: expected one of the elements H O behind": in_input("H 2 O", "H 2 C"),
    "input.nn: the same function is there twice: G2 of O": in_input("O 13 0.05 0.2 1.0 3.5 6.0", "O 2 H 0.10 0.0 5.5"),
    "scaling.data line 3: expected element 1 and function 2, then": in_file("scaling.data", 3, "1 3 0.1 0.2 0.1 0.1"),
    "scaling.data line 3: expected element 1 and function 2, then smallest": in_file("scaling.data", 3, "1 2 0.1 0.2"),
    "scaling.data line 3: the smallest value 0.3 is above the largest 0.2": in_file(
        "scaling.data", 3, "1 2 0.3 0.2 0.1"
    ),
    "scaling.data line 3: the function has no range above 0": in_file("scaling.data", 3, "1 2 0.2 0.2 0.2"),
    "scaling.data line 11: expected the end of the file": in_file("scaling.data", 11, "1 2 3"),
    "weights.008.data: expected 52 numbers of a net 5-5-3-1, found 51": in_file("weights.008.data", 5, None),
    "weights.008.data line 54: expected the end of the file": in_file("weights.008.data", 54, "1.0"),
    "weights.001.data line 2: expected a number, or it and `a 1 0 1 1 1`": in_file(
        "weights.001.data", 2, "1.0 b 1 1 1"
    ),
    "weights.001.data line 5: expected a number, or it and": in_file("weights.001.data", 5, "nan"),
    "weights.001.data' cannot be read: No such file": gone("weights.001.data"),
}


@pytest.mark.parametrize("expected", DAMAGE)
def test_damage_has_a_line(tmp_path: Path, expected: str) -> None:
    folder = write_folder(tmp_path / "model")
    DAMAGE[expected](folder)
    with pytest.raises(ModelFileError) as error:
        read_model(folder)
    message = str(error.value)
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["input.nn", "scaling.data", "weights.001.data"])
def test_no_damaged_word_is_taken(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path / "model")
    lines = (folder / name).read_text().splitlines()
    for number, line in enumerate(lines):
        words = line.partition(" #")[0].split()
        if words[0] in ("#", "epochs"):
            continue
        for place in range(len(words)):
            for new in ("?", "1e999"):
                changed = " ".join([*words[:place], new, *words[place + 1 :]])
                (folder / name).write_text("\n".join([*lines[:number], changed, *lines[number + 1 :], ""]))
                with pytest.raises(ModelFileError, match=name):
                    read_model(folder)
