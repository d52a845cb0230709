"""The limits of all sections, with their reasons: the page prints them, and nothing is graded by other numbers.

Lengths that are short, forces that are strong and energies that are high depend on the material, so most limits are
ratios to what the data hold. The few absolute ones are noise of first-principles data and what a simulation tolerates.
"""

from __future__ import annotations

from pwmlff.report.verdict import Limit

FORCE_NOISE = 0.02  # eV/Å; errors up to here are as small as those of common k meshes and cutoffs
STRESS_NOISE = 0.3  # GPa; likewise
ENERGY_NOISE = 0.001  # eV/atom; likewise

FORCE = Limit(
    "RMSE of forces / RMS of the labelled forces",
    0.15,
    0.40,
    "",
    "At 0.15 the model leaves 2 % of the variance of the forces open, at 0.40 16 %. "
    f"An RMSE up to {FORCE_NOISE:g} eV/Å is green whatever the forces are.",
)
ENERGY = Limit(
    "RMSE of energies",
    5.0,
    20.0,
    "meV/atom",
    "Phases differ by some 10 meV/atom, and kT is 26 meV at room temperature.",
)
STRESS = Limit(
    "RMSE of stress / RMS of the labelled stress",
    0.25,
    0.60,
    "",
    f"A mean over a run is far better than one frame. An RMSE up to {STRESS_NOISE:g} GPa is green.",
)
OVERFIT = Limit(
    "RMSE of forces, test / train",
    1.5,
    3.0,
    "",
    "A model that knows its training frames far better than others has learnt them by heart. Red needs test errors "
    "that are not green.",
)
ELEMENT = Limit(
    "the same for the atoms of one element, or the frames of one config_type",
    0.40,
    0.80,
    "",
    "A model good on average may be blind to a rare element or kind of frame. They are compared with at least half "
    "of the root mean square of all forces.",
)
RISE = Limit(
    "force error of the last epoch / of the best epoch, validation frames",
    1.2,
    2.0,
    "",
    "A validation error that rises again means overfitting.",
)
BARRIER = Limit(
    "30 kT / barrier in front of a hole",
    1.0,
    3.0,
    "",
    "Below the shortest distance of the data the energy has to rise. Where it turns down again there is a hole. A "
    "barrier of 30 kT is passed once in a second by a pair that tries at every vibration; one of 10 kT in nanoseconds. "
    "T is the highest of the section on stability.",
)
MODULUS = Limit(
    "bulk modulus by energies against that by stresses, relative",
    0.10,
    0.30,
    "",
    "Both are derivatives of one smooth function. Where they differ, it is not smooth on this scale.",
)
VOLUME = Limit(
    "volume of the relaxed cell against the nearest one in the data of this composition, relative",
    0.05,
    0.15,
    "",
    "A minimum of the energy far from all data is extrapolated.",
)
IMAGINARY = Limit(
    "largest imaginary frequency / highest frequency",
    0.02,
    0.25,
    "",
    "A crystal at a minimum has none. Some that live by their temperature have: compare with DFT before you blame "
    "the model.",
)
OUTSIDE = Limit(
    "test atoms farther from all training atoms than 99 % of the training atoms are from each other",
    5.0,
    25.0,
    "%",
    "Of test frames from the same runs 1 % are expected.",
)
NEAREST = Limit(
    "shortest distance of the data / shortest in the run",
    1 / 0.80,
    1 / 0.70,
    "",
    "A run has far more pairs than the data, and a hotter one some that come nearer: down to 0.80 of the shortest "
    "distance. 0.70 is a collapse.",
)
TEMPERATURE = Limit(
    "mean temperature of the second half of the run against that of the thermostat, relative",
    0.10,
    0.25,
    "",
    "A thermostat holds the temperature unless atoms fall into a hole and heat the rest. Two standard errors are "
    "taken off, for small systems.",
)
ENERGY_FALL = Limit(
    "potential energy of the run below that of the lowest frame of the data",
    0.05,
    0.30,
    "eV/atom",
    "The lowest frame of the data, with the potential energy of its vibrations made that of the run (1.5 kT). What is "
    "far below is a structure that the data do not know.",
)
DRIFT = Limit(
    "drift of the total energy in NVE",
    0.1,
    1.0,
    "meV/atom/ps",
    "0.1 heats a solid by 0.4 K in a picosecond. Two standard errors are taken off.",
)
STRANGE = Limit(
    "atoms of the run at the data's temperature outside of the training data, as in coverage",
    20.0,
    100.0,
    "%",
    "The run went where the data do not go, for instance it melted, and the model extrapolates there. Frames of such "
    "a run are worth computing. Never red by itself.",
)
