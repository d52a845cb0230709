"""A stored model in TorchScript, and without kernels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pwmlff.ops import StoredModel, library, make_evaluator, pair_centers

needs_native = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")


def stored_model() -> StoredModel:
    """A Deep Potential of one element with 5 features, 2 of them axis features."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    arrays = {
        "switch": torch.tensor([1.0, 5.0], dtype=torch.float64),
        "mean": torch.tensor([0.1], dtype=torch.float64),
        "scale": torch.full((1, 4), 0.3, dtype=torch.float64),
        "n_neighbors": torch.tensor(10.0, dtype=torch.float64),
        "n_axis": torch.tensor(2),
        "double_geometry": torch.tensor(1),
        "fitting": draw(1, 4 * (10 + 2) + 4 + 1),
        "fitting.widths": torch.tensor([4]),
        "fitting.activation": torch.tensor(0),
        "embedding": draw(1, 5 * 3),
        "embedding.widths": torch.tensor([5]),
        "embedding.activation": torch.tensor(1),
        "energy_shift": torch.tensor([-3.0], dtype=torch.float64),
    }
    return StoredModel("dp", arrays)


def pairs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three atoms, the second of them alone."""
    vectors = 2 * torch.randn(6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return vectors, torch.tensor([0, 4, 4, 6]), torch.zeros(6, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)


class Scripted(nn.Module):
    """What an exported model is."""

    def __init__(self, stored: StoredModel) -> None:
        super().__init__()
        self.model = torch.classes.pwmlff.Model(stored.family, dict(stored.arrays))

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> tuple[Tensor, Tensor]:
        return torch.ops.pwmlff.evaluate(self.model, pair_vectors, pair_start, pair_types, atom_types)


@needs_native
def test_an_archive_holds_the_arrays_in_their_order(tmp_path: Path) -> None:
    stored, path = stored_model(), tmp_path / "model.pt"
    torch.jit.script(Scripted(stored)).save(path)
    with zipfile.ZipFile(path) as archive:
        folder = archive.namelist()[0].partition("/")[0]
        for number, array in enumerate(stored.arrays.values()):
            assert archive.read(f"{folder}/data/{number}") == array.numpy().tobytes()
    loaded, evaluator = torch.jit.load(path), make_evaluator(stored)
    for again, expected in zip(loaded(*pairs()), evaluator(*pairs()), strict=True):
        assert torch.equal(again, expected)
    assert loaded.model.family() == "dp"
    assert list(loaded.model.arrays()) == list(stored.arrays)
    assert loaded.model.overflows() == [0, 0]


@needs_native
def test_without_the_library_the_twin_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = stored_model()
    native = make_evaluator(stored)
    monkeypatch.setattr(library, "load", lambda: False)
    twin = make_evaluator(stored)
    assert twin.native is None
    for a, b in zip(native(*pairs()), twin(*pairs()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert twin.overflows() == (0, 0)
    before = twin(*pairs())
    stored.arrays["fitting"].zero_()
    assert torch.equal(twin(*pairs())[0], before[0])


def test_pair_centers() -> None:
    assert pair_centers(torch.tensor([0, 2, 2, 5])).tolist() == [0, 0, 2, 2, 2]
    assert torch.jit.script(pair_centers)(torch.tensor([0])).tolist() == []
