"""What is known of frames beside their labels: kind, temperature, how they go on, and how alike their atoms are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import fcc111, molecule
from morse import STIFFNESS, crystal, morse, write_xyz

from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.report.coverage import Coverage, atomic_features
from pwmlff.report.structures import connected_axes, enlarged, formula_of, frame_of, nearest_contacts
from pwmlff.report.tags import BOLTZMANN, Tag, tag_of_comment, tags_of
from pwmlff.report.temperature import ROOM, configurational_temperature, temperature_of


@pytest.mark.parametrize(
    ("comment", "tag"),
    [
        ('config_type=500K temperature=480.0 energy=1.0 pbc="T T T"', Tag("500K", 480.0)),
        ('config_type="AIMD NVT 300 K" energy=1.0', Tag("AIMD NVT 300 K", 300.0)),
        ("config_type=400K_shear energy=-2.0", Tag("400K_shear", 400.0)),
        ("config_type=init_000_50 energy=-2.0", Tag("init_000_50", None)),
        ('energy=-2.0 pbc="T T T"', Tag("", None)),
        ("T=350 energy=-2.0", Tag("", 350.0)),
        ('config_type=relaxed temperature=0 pbc="T T T"', Tag("relaxed", None)),
    ],
)
def test_comment_lines(comment: str, tag: Tag) -> None:
    assert tag_of_comment(comment) == tag


def test_tags_of_a_file(shaken: Callable[..., list[Frame]], tmp_path: Path) -> None:
    path = write_xyz(tmp_path / "frames.xyz", shaken(3), config_type="hot", temperature=700.0)
    assert tags_of(read_frames([path])) == [Tag("hot", 700.0)] * 3
    assert tags_of(shaken(1)) == [Tag()]  # no file


def test_kinetic_energy_of_a_movement(tmp_path: Path) -> None:
    path = tmp_path / "MOVEMENT"
    path.write_text("  2 atoms,Iteration (fs) = 0.1E+01, Etot,Ep,Ek (eV) = -0.2E+03 -0.21E+03 0.1E+00, SCF = 16\n")
    frame = replace(frame_of(crystal(1)), source=str(path), line=1)
    (tag,) = tags_of([frame])
    assert tag.temperature == pytest.approx(2 * 0.1 / (3 * 4 * BOLTZMANN))


@pytest.mark.parametrize(("ibrion", "expected"), [(0, 850.0), (2, None)])
def test_temperature_of_an_outcar(tmp_path: Path, ibrion: int, expected: float | None) -> None:
    path = tmp_path / "OUTCAR"
    path.write_text(f"   IBRION = {ibrion}    ionic relax\n   TEBEG  = 850.0;   TEEND  = 850.0\n POSITION\n")
    frame = replace(frame_of(crystal(1)), source=str(path), line=3)
    assert tags_of([frame]) == [Tag("", expected)]


def test_configurational_temperature() -> None:
    # the Laplacian of an fcc crystal of springs is 12 k for each atom
    frame = frame_of(crystal(3))
    forces = np.random.default_rng(1).standard_normal((len(frame), 3))
    expected = np.square(forces).sum() / (12 * STIFFNESS * len(frame) * BOLTZMANN)
    found = configurational_temperature(morse(), replace(frame, forces=forces), n_directions=200)
    assert found == pytest.approx(expected, rel=0.02)


def test_where_a_temperature_is_from(shaken: Callable[..., list[Frame]]) -> None:
    frames, model = shaken(3), morse()
    assert temperature_of(model, frames, [Tag()] * 3, 444.0).kelvin == 444.0
    assert temperature_of(model, frames, [Tag("", 300.0), Tag("", 500.0), Tag()]).kelvin == pytest.approx(490, abs=11)
    estimated = temperature_of(model, frames, [Tag()] * 3)
    assert "estimated" in estimated.how
    # springs of 0.08 Å: kT is about 12 k s^2 / 3, softer for the anharmonicity
    assert estimated.kelvin == pytest.approx(4 * STIFFNESS * 0.08**2 / BOLTZMANN, rel=0.3)
    relaxed = [replace(frame_of(crystal(2)), forces=np.zeros((32, 3)))]
    assert temperature_of(model, relaxed, [Tag()]).kelvin == ROOM


def test_what_goes_on_where() -> None:
    slab = fcc111("Cu", (2, 2, 3), a=3.6, vacuum=8.0)
    slab.pbc = True
    water = molecule("H2O", vacuum=8.0)
    water.pbc = True
    assert connected_axes(frame_of(crystal(1)), 3.0).tolist() == [True, True, True]
    assert connected_axes(frame_of(slab), 3.0).tolist() == [True, True, False]
    assert not connected_axes(frame_of(water), 3.0).any()
    water.pbc = False
    assert not connected_axes(frame_of(water), 3.0).any()
    slab.pbc = (True, True, False)
    slab.cell[2] = 0.0
    assert connected_axes(frame_of(slab), 3.0).tolist() == [True, True, False]


def test_enlarging() -> None:
    one = crystal(1)[:1]
    one.set_cell(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 1.8)
    assert len(enlarged(frame_of(one), 60, 3.0)) >= 60
    water = frame_of(molecule("H2O", vacuum=8.0))
    assert enlarged(water, 60, 3.0) is water
    assert formula_of(water) == "H2O"
    slab = fcc111("Cu", (1, 1, 3), a=3.6, vacuum=8.0)
    slab.pbc = True
    height = slab.cell[2, 2]
    assert enlarged(frame_of(slab), 40, 3.0).cell[2, 2] == height


def test_nearest_contact() -> None:
    frame = frame_of(crystal(2, 0.1))
    (contact,) = nearest_contacts(frame, {29: 0}, 4.0).values()
    atoms = crystal(2, 0.1)
    distances = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    assert contact.distance == pytest.approx(distances.min())
    assert distances[contact.first, contact.second] == pytest.approx(contact.distance)


def test_features_do_not_depend_on_the_view() -> None:
    frame = frame_of(crystal(2, 0.1))
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    turned = replace(frame, positions=frame.positions @ rotation, cell=frame.cell @ rotation)
    order = np.random.default_rng(1).permutation(len(frame))
    mixed = replace(frame, positions=frame.positions[order])
    features = atomic_features(frame, ["Cu"], 5.0)
    np.testing.assert_allclose(atomic_features(turned, ["Cu"], 5.0), features, atol=1e-10)
    np.testing.assert_allclose(atomic_features(mixed, ["Cu"], 5.0), features[order], atol=1e-10)


def test_coverage(shaken: Callable[..., list[Frame]]) -> None:
    coverage = Coverage(shaken(12), ["Cu", "Au"], 5.0)
    same, alike = shaken(1)[0], shaken(4, first_seed=50)
    assert coverage.distances(same).max() < 1e-6
    outside = np.concatenate([coverage.distances(frame) for frame in alike]) > 1
    assert outside.mean() < 0.05
    hot = shaken(1, 0.35)[0]
    assert (coverage.distances(hot) > 1).mean() > 0.8
    gold = replace(same, atomic_numbers=np.full(len(same), 79))
    assert np.isinf(coverage.distances(gold)).all()
