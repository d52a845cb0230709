"""Tutorials hold: their commands run in order, and print what the pages show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from dft_files import movement_text, outcar_text
from tutorials import Reader, blocks_of

from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.lammps import PLUGIN_NAME, library_directory

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "pwmlff" / "docs"
DATA = ROOT / "examples" / "data"


def follow(folder: Path, *commands: str) -> None:
    """Run commands as if a page had them."""
    Reader(folder).follow("\n".join(["```sh", *commands, "```", ""]))


def frames_of(name: str, every: int) -> list[Atoms]:
    return ase.io.read(DATA / name, slice(0, None, every))  # type: ignore[return-value]


def write_frames(name: str, every: int, path: Path) -> None:
    """Write every so manieth frame of the examples' data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ase.io.write(path, frames_of(name, every), format="extxyz")


def write_outcar(folder: Path, frames: Sequence[Frame]) -> None:
    folder.mkdir()
    text = outcar_text(["Li"], [len(frames[0])], [{"frame": frame} for frame in frames])
    (folder / "OUTCAR").write_text(text)


def write_movement(folder: Path, frames: Sequence[Frame]) -> None:
    folder.mkdir()
    text = "".join(movement_text(frame, stress=frame.virial) for frame in frames)
    (folder / "MOVEMENT").write_text(text)


def four_runs(folder: Path, write: Callable[[Path, Sequence[Frame]], None]) -> None:
    """Five frames of each temperature of the lithium data, as files of a first-principles code."""
    frames = list(read_frames([DATA / "li27_train.xyz"]))
    for number, name in enumerate(("300K", "400K", "500K", "600K")):
        write(folder / name, frames[32 * number : 32 * number + 25 : 6])


def prepare_examples(folder: Path) -> None:
    write_frames("li27_train.xyz", 8, folder / "examples/data/li27_train.xyz")
    write_frames("li27_test.xyz", 8, folder / "examples/data/li27_test.xyz")
    shutil.copytree(ROOT / "examples/lammps", folder / "examples/lammps")
    shutil.copy(ROOT / "examples/lammps/structure.li", folder)


def prepare_outcars(folder: Path) -> None:
    four_runs(folder, write_outcar)


def prepare_lithium(folder: Path) -> None:
    write_frames("li27_train.xyz", 8, folder / "train.xyz")
    write_frames("li27_test.xyz", 8, folder / "test.xyz")


def prepare_trained(folder: Path) -> None:
    """What the tutorial on the first model leaves behind."""
    prepare_lithium(folder)
    ase.io.write(folder / "li.data", frames_of("li27_test.xyz", 40)[0], format="lammps-data", masses=True)
    follow(folder, "pwmlff init --data train.xyz", "pwmlff train nep.json")


def prepare_hydride(folder: Path) -> None:
    write_frames("lih_train.xyz", 4, folder / "train.xyz")
    write_frames("lih_test.xyz", 4, folder / "test.xyz")


def prepare_committee(folder: Path) -> None:
    """A run file, and a trajectory whose end is unlike the data."""
    prepare_lithium(folder)
    follow(folder, "pwmlff init --data train.xyz -o train.json")
    frames = frames_of("li27_test.xyz", 2)
    for number, atoms in enumerate(frames):
        atoms.rattle(0.02 * number, seed=number)
    ase.io.write(folder / "traj.xyz", frames, format="extxyz")


def prepare_new_frames(folder: Path) -> None:
    """Models and frames to go on from."""
    prepare_trained(folder)
    follow(folder, "pwmlff export model_record/nep_model_best.ckpt --format nep -o nep.txt")
    shutil.copy(folder / "model_record/nep_model_best.ckpt", folder / "model.ckpt")
    shutil.copy(folder / "train.xyz", folder / "old.xyz")
    shutil.copy(folder / "test.xyz", folder / "new.xyz")
    frames = list(read_frames([folder / "test.xyz"]))
    for number in (1, 2):
        write_outcar(folder / "new", frames)
        (folder / "new" / "OUTCAR").rename(folder / f"OUTCAR{number}")
        (folder / "new").rmdir()


# what the reader of a page has already
PAGES = {
    "start": prepare_examples,
    "first_model": prepare_outcars,
    "choosing": prepare_lithium,
    "good_enough": prepare_trained,
    "many_elements": prepare_hydride,
    "active_learning": prepare_committee,
    "finetuning": prepare_new_frames,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a tutorial is followed."""
    if not (library_directory() / PLUGIN_NAME).is_file():
        pytest.skip("the plugin is not compiled")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", PAGES)
def test_tutorial(name: str, folder: Path) -> None:
    PAGES[name](folder)
    Reader(folder).follow((DOCS / f"{name}.md").read_text(encoding="utf-8"))


def test_no_tutorial_is_left_out() -> None:
    """Of those in the navigation, only the page on clusters has nothing that can be run."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    section = index.split(":caption: Tutorials")[1].split("```")[0].split()
    for name in set(section) - set(PAGES):
        languages = {block.language for block in blocks_of((DOCS / f"{name}.md").read_text(encoding="utf-8"))}
        assert not languages & {"sh", "python"}, f"{name}.md needs a row of PAGES"


def test_output_is_compared_in_shape(folder: Path) -> None:
    page = '```python\nprint("| energy | 0.25 |", 3)\n```\nprints\n```text\n{}\n```\n'
    Reader(folder).follow(page.format("| energy   | 1.5e-3 |  12\n..."))
    with pytest.raises(AssertionError, match="line 6: not printed: forces 1 2"):
        Reader(folder).follow(page.format("forces 1 2"))


def test_a_command_that_fails_is_told(folder: Path) -> None:
    with pytest.raises(AssertionError, match="pwmlff info --no-such-option"):
        follow(folder, "pwmlff info --no-such-option")
    with pytest.raises(AssertionError, match="simpler"):
        follow(folder, "pwmlff info | head")


@pytest.mark.slow
def test_the_first_tutorial_holds_for_pwmat_too(folder: Path) -> None:
    four_runs(folder, write_movement)
    page = (DOCS / "first_model.md").read_text(encoding="utf-8")
    Reader(folder).follow(page.replace("OUTCAR", "MOVEMENT"))
