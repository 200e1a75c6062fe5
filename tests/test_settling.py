import platform
import subprocess
import sys

import pytest

PROGRAM = """
import gc
from pathlib import Path
from growqr.settling import settle

def resident_mb():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

used = [bytearray(100_000) for _ in range(800)]
kept = used[::100] + used[-1:]  # the C library can't just cut off the end of its heap
del used
before = resident_mb()
settle()
print(before - resident_mb(), gc.get_freeze_count())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks the GNU C library")
def test_memory_that_was_freed_is_the_system_s_again_and_what_stays_is_not_collected() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    given_back, frozen = map(int, ran.stdout.split())
    assert given_back > 50
    assert frozen > 1_000
