"""Files that appear when they are complete: full disks, links, and what killed programs leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.replacing import replacing, temporary_name
from pwmlff.data.writers import write_frames

_FILL = """
import resource, sys
from pathlib import Path
import numpy as np
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_frames
from pwmlff.errors import PwmlffError

rng = np.random.default_rng(0)
frames = (
    Frame(atomic_numbers=[1] * 500, positions=rng.normal(size=(500, 3)), cell=np.eye(3) * 50, energy=0.0)
    for _ in range(2000)
)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write_frames(Path(sys.argv[1]), frames, append=len(sys.argv) > 3)
except PwmlffError as error:
    print(error)
    sys.exit(1)
"""


def frame(shift: float = 0.0) -> Frame:
    return Frame(atomic_numbers=[3, 1], positions=[[0, 0, 0], [1.5 + shift, 0, 0]], cell=np.eye(3) * 9.0, energy=1.0)


@pytest.mark.parametrize(
    ("name", "limit", "append"),
    [("a.h5", 1 << 14, []), ("a.h5", 3 << 20, []), ("a.h5", 14 << 20, ["append"]), ("a.xyz", 3 << 20, [])],
)
def test_a_full_disk_is_one_line(tmp_path: Path, name: str, limit: int, append: list[str]) -> None:
    write_frames(tmp_path / name, [frame()])
    before = (tmp_path / name).read_bytes()
    ended = subprocess.run(
        [sys.executable, "-c", _FILL, tmp_path / name, str(limit), *append], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.strip().endswith("cannot be written (File too large); what was there before is as it was")
    assert ended.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("name", ["a.h5", "a.xyz"])
def test_links_are_not_followed_and_remains_are_swept(tmp_path: Path, name: str) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    target, path = tmp_path / "precious", tmp_path / name
    target.write_text("precious")
    own = temporary_name(path)
    dead = own.with_name(own.name.replace(f"-{os.getpid()}.", f"-{ended.pid}."))
    alive = own.with_name(own.name.replace(f"-{os.getpid()}.", f"-{os.getppid()}."))
    elsewhere = path.with_name(f"{name}.another-machine-{ended.pid}.part")
    for link in (own, dead, path.with_name(name + ".part")):
        link.symlink_to(target)
    alive.write_text("")
    elsewhere.write_text("")
    write_frames(path, [frame()])
    assert target.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == sorted([target, path, alive, elsewhere])


def test_a_fault_of_another_file_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), replacing(tmp_path / "a.h5"):
        (tmp_path / "nowhere").read_text()
