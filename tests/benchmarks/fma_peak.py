"""The most multiply-adds a core can do, by a loop that does nothing else; needs a C compiler.

python tests/benchmarks/fma_peak.py          # operations per second of one core, as JSON
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_STEPS = 2_000_000
_REPEATS = 7
_CHAINS = 12  # independent ones, to hide the latency, and few enough to stay in registers
_SOURCE = """
#ifdef __AVX512F__
#define BYTES 64
#else
#define BYTES 32
#endif
#define LOOP(real) \\
  typedef real real##_vector __attribute__((vector_size(BYTES))); \\
  int width_##real(void) { return BYTES / sizeof(real); } \\
  real run_##real(long steps, real factor) { \\
    real##_vector chain[CHAINS], x = (real##_vector){0} + factor; \\
    for (int i = 0; i < CHAINS; ++i) chain[i] = (real##_vector){0} + (real)i; /* equal ones would be merged */ \\
    for (long step = 0; step < steps; ++step) \\
      for (int i = 0; i < CHAINS; ++i) chain[i] = chain[i] * x + x; \\
    for (int i = 1; i < CHAINS; ++i) chain[0] += chain[i]; \\
    return chain[0][0]; \\
  }
LOOP(double)
LOOP(float)
"""


def core_fma_peak() -> dict[str, float] | None:
    """Return operations per second of one core in "float64" and "float32"; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "fma.c", Path(folder) / "fma.so"
        source.write_text(_SOURCE)
        flags = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", f"-DCHAINS={_CHAINS}"]
        subprocess.run([compiler, *flags, source, "-o", library], check=True)
        compiled = ctypes.CDLL(str(library))
    return {
        "float64": _rate(compiled.run_double, ctypes.c_double, compiled.width_double()),
        "float32": _rate(compiled.run_float, ctypes.c_float, compiled.width_float()),
    }


def _rate(run: Any, real: type, width: int) -> float:
    run.argtypes, run.restype = [ctypes.c_long, real], real
    times = []
    for _ in range(_REPEATS):
        start = time.thread_time()  # what other programs take of the core does not count
        run(_STEPS, 0.5)
        times.append(time.thread_time() - start)
    return 2.0 * _STEPS * _CHAINS * width / min(times)


if __name__ == "__main__":
    print(json.dumps(core_fma_peak()))
