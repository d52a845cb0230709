"""Physical properties of the elements: ranges, known values, undefined ones."""

from __future__ import annotations

import numpy as np
import pytest

from pwmlff.descriptors.properties import _RANGES, _TABLES, DEFAULT_PROPERTIES, normalized_properties
from pwmlff.elements import SYMBOLS
from pwmlff.errors import ConfigError


@pytest.mark.parametrize("name", list(_TABLES))
def test_table_spans_exactly_the_stated_range(name: str) -> None:
    assert (min(_TABLES[name].values()), max(_TABLES[name].values())) == _RANGES[name]
    values = normalized_properties(list(_TABLES[name]), [name])
    assert values.min() == 0.0
    assert values.max() == 1.0


def test_known_values() -> None:
    values = normalized_properties(["Cu", "O"])
    expected_copper = [
        28 / 108, 110 / 235, (63.546 - 1.00794) / (276 - 1.00794), 118400 / 349000, 1.2 / 3.28
    ]  # fmt: skip
    assert values.shape == (2, len(DEFAULT_PROPERTIES))
    assert values.dtype == np.float64
    np.testing.assert_allclose(values[0], expected_copper, rtol=1e-14)


def test_an_element_does_not_depend_on_the_others() -> None:
    alone = normalized_properties(["O"])
    together = normalized_properties(["Cu", "O", "H"])
    np.testing.assert_array_equal(alone[0], together[1])


def test_masses_grow_with_atomic_number_but_for_the_known_inversions() -> None:
    masses = [_TABLES["atom_mass"][symbol] for symbol in SYMBOLS[:92]]
    drops = {SYMBOLS[i] for i in range(91) if masses[i + 1] < masses[i]}
    assert drops == {"Ar", "Co", "Te", "Th"}


def test_undefined_property_names_element_and_what_exists() -> None:
    with pytest.raises(
        ConfigError, match="'pauling' is not defined for Ar; for Ar choose from: atomic_number, atom_mass"
    ):
        normalized_properties(["H", "Ar"], ["atomic_number", "pauling"])


def test_every_problem_is_listed() -> None:
    with pytest.raises(ConfigError) as error:
        normalized_properties(["He"], ["paulin", "melting_point", "atom_radius", "atom_radius"])
    message = str(error.value)
    assert "did you mean 'pauling'?" in message
    assert "no table of 'melting_point'" in message
    assert "'atom_radius' is given more than once" in message
    assert "'atom_radius' is not defined for He" in message


def test_no_property_is_an_error() -> None:
    with pytest.raises(ConfigError, match="choose from: atomic_number"):
        normalized_properties(["H"], [])
