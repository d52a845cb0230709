"""An implementation of n2p2's models that reads their files by itself, in loops over atoms and pairs of neighbours."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

NUMBERS = {"H": 1, "C": 6, "O": 8, "Cu": 29}


def energies(folder: Path, symbols: list[str], positions: np.ndarray) -> list[float]:
    """Return the energies of the atoms of a cluster, all in the units of the files."""
    lines = [line.split("#")[0].split() for line in (folder / "input.nn").read_text().splitlines()]
    keys = {words[0]: words[1:] for words in lines if words}
    elements = sorted(keys["elements"], key=NUMBERS.__getitem__)
    offsets = {words[1]: float(words[2]) for words in lines if words[:1] == ["atom_energy"]}
    functions = {element: _functions(lines, element) for element in elements}
    table = [line.split() for line in (folder / "scaling.data").read_text().splitlines() if not line.startswith("#")]
    statistics = {(int(row[0]), int(row[1])): [float(word) for word in row[2:]] for row in table if len(row) > 2}
    mean, conv = (float(keys.get(name, [default])[0]) for name, default in (("mean_energy", 0), ("conv_energy", 1)))
    results = []
    for i, element in enumerate(symbols):
        inputs = []
        for place, function in enumerate(functions[element], start=1):
            value = symmetry_function(function, keys["cutoff_type"], i, symbols, positions)
            inputs.append(_scaled(value, statistics[elements.index(element) + 1, place], keys))
        output = _net(folder, element, inputs, lines, keys)
        results.append(output / conv + mean + offsets.get(element, 0.0))
    return results


def _functions(lines: list[list[str]], element: str) -> list[list[str]]:
    own = [words[1:] for words in lines if words[:1] == ["symfunction_short"] and words[1] == element]

    def place(words: list[str]) -> tuple[float, ...]:
        number, (neighbors, eta, r_s, sign, zeta, cutoff) = int(words[1]), parameters(words)
        return (number, cutoff, eta, r_s, zeta, sign, *sorted(NUMBERS[name] for name in neighbors))

    return sorted(own, key=place)


def parameters(words: list[str]) -> tuple[list[str], float, float, float, float, float]:
    """Return the neighbours, eta, r_s, lambda, zeta and the cutoff of the words behind `symfunction_short`."""
    number = int(words[1])
    n_names = {2: 1, 3: 2, 9: 2, 12: 0, 13: 0}[number]
    names, values = words[2 : 2 + n_names], [float(word) for word in words[2 + n_names :]]
    if number in (2, 12):
        return names, values[0], values[1], 0.0, 0.0, values[2]
    if number == 13:
        return names, *values[:4], values[4]
    return names, values[0], values[4] if len(values) > 4 else 0.0, values[1], values[2], values[3]


def symmetry_function(words: list[str], cutoff_type: list[str], i: int, symbols: list[str], x: np.ndarray) -> float:
    """Return the value of a function, given by the words behind `symfunction_short`, around atom i."""
    names, eta, r_s, sign, zeta, cutoff = parameters(words)
    number = int(words[1])
    others = [j for j in range(len(symbols)) if j != i and math.dist(x[i], x[j]) < cutoff]

    def step(r: float) -> float:
        return _step(r, cutoff, cutoff_type)

    total = 0.0
    if number in (2, 12):
        for j in others:
            weight = NUMBERS[symbols[j]] if number == 12 else symbols[j] == names[0]
            r = math.dist(x[i], x[j])
            total += weight * math.exp(-eta * (r - r_s) ** 2) * step(r)
        return total
    for place, j in enumerate(others):
        for k in others[place + 1 :]:
            a, b, c = math.dist(x[i], x[j]), math.dist(x[i], x[k]), math.dist(x[j], x[k])
            weight = NUMBERS[symbols[j]] * NUMBERS[symbols[k]] if number == 13 else 1
            if number != 13 and sorted([symbols[j], symbols[k]]) != sorted(names):
                continue
            cosine = float((x[j] - x[i]) @ (x[k] - x[i])) / (a * b)
            sides = (a, b) if number == 9 else (a, b, c)
            term = weight * 2 ** (1 - zeta) * max(0.0, 1 + sign * cosine) ** zeta
            for r in sides:
                term *= math.exp(-eta * (r - r_s) ** 2) * (step(r) if r < cutoff else 0.0)
            total += term
    return total


def _step(r: float, cutoff: float, cutoff_type: list[str]) -> float:
    number, alpha = int(cutoff_type[0]), float(cutoff_type[1]) if len(cutoff_type) > 1 else 0.0
    if number == 0:
        return 1.0
    if number in (2, 3):
        return math.tanh(1 - r / cutoff) ** 3 / (math.tanh(1.0) ** 3 if number == 3 else 1.0)
    x = max(0.0, (r - alpha * cutoff) / (cutoff - alpha * cutoff))
    polynomials = {
        5: (2 * x - 3) * x**2 + 1,
        6: ((15 - 6 * x) * x - 10) * x**3 + 1,
        7: (x * (x * (20 * x - 70) + 84) - 35) * x**4 + 1,
        8: (x * (x * ((315 - 70 * x) * x - 540) + 420) - 126) * x**5 + 1,
    }
    if number == 1:
        return 0.5 * (math.cos(math.pi * x) + 1)
    return math.exp(1 - 1 / (1 - x * x)) if number == 4 else polynomials[number]


def _scaled(value: float, statistics: list[float], keys: dict[str, list[str]]) -> float:
    low, high = (float(keys.get(name, [d])[0]) for name, d in (("scale_min_short", 0), ("scale_max_short", 1)))
    smallest, largest, mean = statistics[:3]
    is_centred = "center_symmetry_functions" in keys
    if "scale_symmetry_functions_sigma" in keys:
        return low + (high - low) * (value - mean) / statistics[3]
    if "scale_symmetry_functions" in keys:
        return low + (high - low) * (value - (mean if is_centred else smallest)) / (largest - smallest)
    return value - mean if is_centred else value


def _net(folder: Path, element: str, inputs: list[float], lines: list[list[str]], keys: dict[str, list[str]]) -> float:
    widths = [len(inputs), *map(int, keys["global_nodes_short"]), 1]
    for words in lines:
        if words[:2] == ["element_nodes_short", element]:
            widths[int(words[2])] = int(words[3])
    content = (folder / f"weights.{NUMBERS[element]:03d}.data").read_text().splitlines()
    numbers = iter([float(line.split()[0]) for line in content if not line.startswith("#")])
    values = inputs
    for below, above, letter in zip(widths, widths[1:], keys["global_activation_short"], strict=False):
        sums = [0.0] * above
        for value in values:
            for node in range(above):
                sums[node] += next(numbers) * value
        sums = [total + next(numbers) for total in sums]
        if "normalize_nodes" in keys:
            sums = [total / below for total in sums]
        values = [_ACTIVATIONS[letter](total) for total in sums]
    assert next(numbers, None) is None
    return values[0]


_ACTIVATIONS = {
    "l": lambda z: z,
    "t": math.tanh,
    "s": lambda z: 1 / (1 + math.exp(-z)),
    "p": lambda z: math.log(1 + math.exp(z)),
    "r": lambda z: max(z, 0.0),
    "g": lambda z: math.exp(-z * z / 2),
    "c": math.cos,
    "S": lambda z: 1 - 1 / (1 + math.exp(-z)),
    "e": lambda z: math.exp(-z),
    "h": lambda z: z * z,
}
