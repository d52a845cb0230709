"""Reads the `input.nn` of n2p2, strictly: each fault is told in one line with the number of its line.

What concerns the training alone is skipped. What would change energies and is not ours (charges, polynomial functions,
committees) is refused by its name, and so is every keyword that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from pydantic import ValidationError

from pwmlff.elements import SYMBOLS, atomic_number_of
from pwmlff.errors import did_you_mean
from pwmlff.models.bp.functions import MOST_FUNCTIONS, SymmetryFunction
from pwmlff.models.files.n2p2_file import INPUT, LETTERS, MEAN, SIGMA, SMALLEST_AND_LARGEST, Scaling
from pwmlff.models.files.n2p2_words import Line, N2p2TextError, integer, lines_of
from pwmlff.units import BOHR, HARTREE

WIDEST_LAYER = 16384
DEEPEST_NET = 64
MOST_CUTOFFS = 9
_UNITS = re.compile(rb"#\s*units\s+(\S+)\s+(\S+)\s*", re.IGNORECASE)
_LENGTHS = {"angstrom": 1.0, "bohr": BOHR}  # Å
_ENERGIES = {"ev": 1.0, "hartree": HARTREE}  # eV

_ANGULAR = ("eta", "lambda", "zeta", "cutoff")
# n2p2's types: ours, the number of neighbours that it names, its numbers, how many of the last may be absent
_FORMS: Mapping[int, tuple[str, int, tuple[str, ...], int]] = {
    2: ("G2", 1, ("eta", "r_s", "cutoff"), 0),
    3: ("G4", 2, (*_ANGULAR, "r_s"), 1),
    9: ("G5", 2, (*_ANGULAR, "r_s"), 1),
    12: ("G2", 0, ("eta", "r_s", "cutoff"), 0),
    13: ("G4", 0, ("eta", "r_s", "lambda", "zeta", "cutoff"), 0),
}
_SORTED_BY = ("cutoff", "eta", "r_s", "zeta", "lambda")

_REPEATED = ("symfunction_short", "atom_energy", "element_nodes_short")
_SWITCHES = (
    *("scale_symmetry_functions", "center_symmetry_functions", "scale_symmetry_functions_sigma"),
    "normalize_nodes",
)
_READ = (
    *_REPEATED,
    *_SWITCHES,
    *("number_of_elements", "elements", "cutoff_type", "nnp_type", "nn_type", "scale_min_short", "scale_max_short"),
    *("mean_energy", "conv_energy", "conv_length"),
    *("global_hidden_layers_short", "global_nodes_short", "global_activation_short"),
)
_TRAINING_ONLY = """
    analyze_composition analyze_error calculate_forces calculate_stress charge_fraction data_clustering debug_mode
    energy_fraction energy_threshold epochs find_contradictions force_energy_ratio force_fraction force_threshold
    force_update_scaling force_weight gradient_adam_beta1 gradient_adam_beta2 gradient_adam_epsilon gradient_adam_eta
    gradient_adam_weight_decay gradient_eta gradient_type jacobian_mode joint_energy_force_update kalman_damp_charge
    kalman_damp_force kalman_damp_short kalman_epsilon kalman_eta kalman_etamax kalman_etatau kalman_lambda_short
    kalman_nue_short kalman_q0 kalman_qmin kalman_qtau kalman_type main_error_metric max_energy max_force
    memorize_symfunc_results mix_all_points nguyen_widrow_weights_short nn_type_short normalize_data_set
    optmode_short_energy optmode_short_force parallel_mode points_in_memory precondition_weights print_mad
    random_number_type random_seed remove_atom_energies repeated_energy_update restart_kalman_matrices rmse_threshold
    rmse_threshold_charge rmse_threshold_energy rmse_threshold_force rmse_threshold_trials rmse_threshold_trials_charge
    rmse_threshold_trials_energy rmse_threshold_trials_force runner_mode save_kalman_matrices selection_mode
    selection_mode_charge selection_mode_energy selection_mode_force short_energy_error_threshold short_energy_fraction
    short_energy_group short_force_error_threshold short_force_fraction short_force_group silent_mode
    task_batch_size_energy task_batch_size_force test_fraction update_strategy updater_type use_atom_energies
    use_old_scaling use_old_weights_short use_short_forces use_short_nn use_systematic_weights_short weight_analysis
    weights_max weights_min write_fit_statistics write_neuronstats write_symfunctions write_temporary_weights
    write_traincharges write_trainforces write_trainlog write_trainpoints write_unformatted write_weights_epoch
"""
_SKIPPED = frozenset(_TRAINING_ONLY.split())
_REFUSED = (  # names of keywords, and what they stand for
    (r".*electrostatic.*|.*_charge|.*_elec|.*gausswidth.*|.*hardness.*|.*ewald.*|use_charges", "charges"),
    (r".*vdw.*", "van der Waals terms"),
    (r"committee_.*", "committees (several models can be given where one can)"),
    (r"cutoff_alpha", "an inner cutoff in RuNNer's form (n2p2 has it behind `cutoff_type`)"),
    (r"(global|element)_symfunction_short", "functions in RuNNer's short form (n2p2 has `symfunction_short` for each)"),
    (r"element_(hidden_layers|activation)_short", "nets with other layers for an element"),
    (r".*pair.*", "nets of pairs"),
)


class InputFile:
    """What the file says, in Å and eV.

    Attributes:
        listed: Symbols of the elements in the order of the file.
        elements: Symbols in the order of the atomic numbers.
        energies: Added for each atom of an element, eV.
        functions: Of each element, in n2p2's order.
        cutoff_type: Number of the cutoff function.
        inner_fraction: Of the cutoff, below which the cutoff function is 1.
        scaling: Of the functions.
        hidden: Widths of the hidden layers of each element.
        activations: Letter of each layer.
        is_normalised: Whether the sum that enters a node is divided by the number of nodes below.
        output: What the number that a net gives is multiplied by, eV.
    """

    def __init__(self, content: bytes) -> None:
        self._length, self._energy = _units(content)
        self._lines = _by_keyword(lines_of(INPUT, content, "#!"))
        self.listed = self._elements()
        self.elements = tuple(sorted(self.listed, key=atomic_number_of))
        self._type()
        self.cutoff_type, self.inner_fraction = self._cutoff()
        self.scaling = self._scaling()
        self.hidden, self.activations = self._nets()
        self.is_normalised = self._has("normalize_nodes")
        mean, self.output = self._normalisation()
        self.energies = [mean + energy for energy in self._atom_energies()]
        self.functions = self._functions()

    def _elements(self) -> tuple[str, ...]:
        line = self._needed("elements")
        symbols = line.words[1:]
        for index, symbol in enumerate(symbols):
            if symbol not in SYMBOLS:
                raise line.error(f"`{symbol}` is no element")
            if symbol in symbols[:index]:
                raise line.error(f"{symbol} is there twice")
        count = self._needed("number_of_elements")
        if len(count.words) != 2 or integer(count.words[1]) != len(symbols) or not symbols:
            raise count.expected(f"`number_of_elements {len(symbols)}`, as many as line {line.number} has")
        return tuple(symbols)

    def _type(self) -> None:
        for keyword in ("nnp_type", "nn_type"):
            line = self._one(keyword)
            if line is not None and line.words[1:] not in (["2G-HDNNP"], ["2"], ["0"]):
                raise line.expected(f"`{keyword} 2G-HDNNP`, a model without charges; pwmlff has no others")

    def _cutoff(self) -> tuple[int, float]:
        line = self._needed("cutoff_type")
        what = f"`cutoff_type`, a number from 0 to {MOST_CUTOFFS - 1}, and perhaps an inner fraction from 0 to below 1"
        number = integer(line.words[1]) if len(line.words) in (2, 3) else None
        fraction = (*line.numbers(2, what), 0.0)[0]
        if number is None or number >= MOST_CUTOFFS or not 0 <= fraction < 1:
            raise line.expected(what)
        return number, fraction

    def _scaling(self) -> Scaling:
        low, high = self._number("scale_min_short", 0.0), self._number("scale_max_short", 1.0)
        is_scaled, is_centred = self._has("scale_symmetry_functions"), self._has("center_symmetry_functions")
        by_sigma = self._one("scale_symmetry_functions_sigma")
        if by_sigma is not None and (is_scaled or is_centred):
            raise by_sigma.error("`scale_symmetry_functions_sigma` stands alone, without the other keywords of scaling")
        if by_sigma is not None:
            return Scaling(shift=MEAN, width=(SIGMA,), low=low, high=high)
        if is_scaled:
            shift = MEAN if is_centred else SMALLEST_AND_LARGEST[0]
            return Scaling(shift=shift, width=SMALLEST_AND_LARGEST, low=low, high=high)
        return Scaling(shift=MEAN if is_centred else None)

    def _nets(self) -> tuple[list[list[int]], tuple[str, ...]]:
        """Return the widths of the hidden layers of each element, and the letters of all layers."""
        line = self._needed("global_hidden_layers_short")
        n_layers = integer(line.words[1]) if len(line.words) == 2 else None
        if n_layers is None or not 1 <= n_layers <= DEEPEST_NET:
            raise line.expected(f"`global_hidden_layers_short` and a number from 1 to {DEEPEST_NET}")
        line = self._needed("global_nodes_short")
        nodes = [_width(word) for word in line.words[1:]]
        common = [width for width in nodes if width is not None]
        if len(common) != n_layers or len(nodes) != n_layers:
            raise line.expected(f"`global_nodes_short` and {n_layers} numbers from 1 to {WIDEST_LAYER}")
        line = self._needed("global_activation_short")
        letters = tuple(line.words[1:])
        if len(letters) != n_layers + 1 or not set(letters) <= set(LETTERS):
            what = f"`global_activation_short` and {n_layers + 1} letters among {' '.join(LETTERS)}"
            raise line.expected(what)
        if letters[-1] != "l":
            raise line.error(
                f"the last layer has the activation `{letters[-1]}`, expected `l`; pwmlff has no other there"
            )
        hidden = [list(common) for _ in self.elements]
        for line in self._lines.get("element_nodes_short", []):
            what = f"`element_nodes_short`, an element, a hidden layer up to {n_layers}, and its nodes"
            if len(line.words) != 4:
                raise line.expected(what)
            layer, width = integer(line.words[2]), _width(line.words[3])
            if layer is None or not 1 <= layer <= n_layers or width is None:
                raise line.expected(what)
            hidden[self._element(line, 1)][layer - 1] = width
        return hidden, letters

    def _normalisation(self) -> tuple[float, float]:
        """Return the mean energy of an atom and the energy unit of the nets, eV."""
        keywords = ("mean_energy", "conv_energy", "conv_length")
        given = [line for line in map(self._one, keywords) if line is not None]
        if given and len(given) < len(keywords):
            raise given[0].error(f"of {', '.join(keywords)} all are needed or none")
        mean, energy, length = (self._number(k, d) for k, d in zip(keywords, (0.0, 1.0, 1.0), strict=True))
        for line, value in zip(given[1:], (energy, length), strict=False):
            if value <= 0:
                raise line.expected(f"`{line.words[0]}` above 0")
        return mean * self._energy, self._energy / energy

    def _atom_energies(self) -> Iterator[float]:
        energies: dict[int, float] = {}
        for line in self._lines.get("atom_energy", []):
            what = "`atom_energy`, an element, and a number"
            if len(line.words) != 3:
                raise line.expected(what)
            element = self._element(line, 1)
            if element in energies:
                raise line.error(f"a second atom_energy of {line.words[1]}")
            energies[element] = line.numbers(2, what)[0] * self._energy
        yield from (energies.get(number, 0.0) for number in range(len(self.elements)))

    def _functions(self) -> list[list[SymmetryFunction]]:
        found: list[list[tuple[tuple[float, ...], SymmetryFunction]]] = [[] for _ in self.elements]
        lines = self._lines.get("symfunction_short", [])
        if len(lines) > MOST_FUNCTIONS:
            raise lines[MOST_FUNCTIONS].error(f"more than {MOST_FUNCTIONS} symmetry functions")
        for line in lines:
            found[self._element(line, 1)].append(self._function(line))
        for element, own in zip(self.elements, found, strict=True):
            if not own:
                raise N2p2TextError(INPUT, None, f"no symfunction_short of {element}")
            own.sort(key=lambda pair: pair[0])
            for (first, _), (second, function) in pairwise(own):
                if first == second:
                    raise N2p2TextError(INPUT, None, f"the same function is there twice: {function}")
        return [[function for _, function in own] for own in found]

    def _function(self, line: Line) -> tuple[tuple[float, ...], SymmetryFunction]:
        """Return what n2p2 sorts by, in its units, and the function in ours."""
        number = integer(line.words[2]) if len(line.words) > 2 else None
        if number is None or number not in _FORMS:
            types = ", ".join(map(str, _FORMS))
            raise line.expected(f"a symmetry function of type {types}, which are all that pwmlff has of n2p2's")
        kind, n_neighbors, names, n_optional = _FORMS[number]
        words = ["element", *["neighbour"] * n_neighbors, *names]
        what = f"`symfunction_short element {number} {' '.join(words[1:])}`"
        first = 3 + n_neighbors
        n_numbers = len(line.words) - first
        if not len(names) - n_optional <= n_numbers <= len(names):
            raise line.expected(what)
        neighbors = sorted(self._element(line, place) for place in range(3, first))
        values = dict(zip(names, line.numbers(first, what), strict=False))
        key = (float(number), *(values.get(name, 0.0) for name in _SORTED_BY), *map(float, neighbors))
        length = self._length
        for name, unit in (("cutoff", length), ("r_s", length), ("eta", length**-2)):
            values[name] = values.get(name, 0.0) * unit
        seen = {"neighbors": [self.elements[place] for place in neighbors]} if n_neighbors else {"weights": "Z"}
        try:
            function = SymmetryFunction.model_validate({"type": kind, "central": line.words[1], **seen, **values})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            name = " ".join(map(str, problem["loc"]))
            raise line.error(f"{name}: {problem['msg']}" if name else str(problem["msg"])) from None
        return key, function

    def _element(self, line: Line, place: int) -> int:
        """Return the index of the element that a word names."""
        word = line.words[place] if place < len(line.words) else ""
        if word not in self.elements:
            raise line.expected(
                f"one of the elements {' '.join(self.elements)} behind `{' '.join(line.words[:place])}`"
            )
        return self.elements.index(word)

    def _one(self, keyword: str) -> Line | None:
        return next(iter(self._lines.get(keyword, [])), None)

    def _needed(self, keyword: str) -> Line:
        line = self._one(keyword)
        if line is None:
            raise N2p2TextError(INPUT, None, f"there is no line `{keyword}`")
        return line

    def _has(self, keyword: str) -> bool:
        return keyword in self._lines

    def _number(self, keyword: str, default: float) -> float:
        line = self._one(keyword)
        if line is None:
            return default
        what = f"`{keyword}` and a number"
        values = line.numbers(1, what)
        if len(values) != 1:
            raise line.expected(what)
        return values[0]


def _units(content: bytes) -> tuple[float, float]:
    """Return the units of length and energy that a comment tells, in Å and eV."""
    choices = f"# units {' or '.join(_LENGTHS)}, {' or '.join(_ENERGIES)}"
    told: tuple[float, float] | None = None
    for number, line in enumerate(content.split(b"\n"), start=1):
        match = _UNITS.fullmatch(line.strip())
        if match is None:
            continue
        length, energy = (word.decode(errors="replace").lower() for word in match.groups())
        if length not in _LENGTHS or energy not in _ENERGIES or told is not None:
            raise N2p2TextError(INPUT, number, f"expected one line such as `# units angstrom ev` ({choices})")
        told = _LENGTHS[length], _ENERGIES[energy]
    if told is None:
        raise N2p2TextError(
            INPUT,
            None,
            "n2p2's files do not tell their units; add the line `# units angstrom ev` or `# units bohr hartree`, "
            "those of the data that the model was trained on",
        )
    return told


def _by_keyword(lines: Collection[Line]) -> dict[str, list[Line]]:
    """Sort the lines by their keywords, which must be known."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        keyword = line.words[0]
        if keyword in _SKIPPED:
            continue
        if keyword not in _READ:
            reason = next((words for pattern, words in _REFUSED if re.fullmatch(pattern, keyword)), None)
            if reason is not None:
                raise line.error(f"`{keyword}` stands for {reason}, which pwmlff does not read")
            hint = did_you_mean(keyword, _READ).partition("choose from")[0]
            raise line.expected(f"a keyword of n2p2{', ' + hint if hint else ''}; remove what a model does not need")
        if keyword in found and keyword not in _REPEATED:
            raise line.error(f"a second `{keyword}`, the first is in line {found[keyword][0].number}")
        if keyword in _SWITCHES and len(line.words) > 1:
            raise line.expected(f"`{keyword}` alone")
        found.setdefault(keyword, []).append(line)
    return found


def _width(word: str) -> int | None:
    width = integer(word)
    return width if width is not None and 1 <= width <= WIDEST_LAYER else None
