"""What a benchmark was run on."""

import os
from datetime import date
from importlib.metadata import version
from pathlib import Path


def described(*packages: str) -> str:
    """Date, processor, cores and the versions of `packages`, for the head of a results file."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    processor = names[0] if names else "unknown processor"
    versions = [f"{name} {version(name)}" for name in packages]
    return ", ".join([str(date.today()), processor, f"{os.cpu_count()} cores", *versions])
