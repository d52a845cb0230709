"""Runs `dp --pt train INPUT` with its optimizer steps timed; prints one line of JSON. Run with deepmd-kit's Python.

python deepmd_steps.py INPUT.json N_STEPS N_WARM
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from deepmd.main import main
from steps_clock import StepsDone, figures, stamp_adam

if __name__ == "__main__":
    stamps = stamp_adam(int(sys.argv[2]))
    with suppress(StepsDone):
        main(["--pt", "train", sys.argv[1], "--skip-neighbor-stat"])
    print(json.dumps(figures(stamps, int(sys.argv[3]))))
