"""YAML files that people write."""

import stat
from pathlib import Path
from typing import Any

from data.errors import BadInput

LARGEST = 1_000_000  # bytes: a persona with all its examples has a hundredth


def read_mapping(path: Path, otherwise: str) -> dict[str, Any]:
    """The keys and values of a YAML file. Raises BadInput where it can't be read, or `otherwise` is what it is."""
    import yaml

    try:
        content: Any = yaml.safe_load(_text(path))
    except (RecursionError, MemoryError) as error:
        raise BadInput(f"{path} can't be read as YAML: its brackets or lists are nested too deeply") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, or a date such as 2024-99-99
        raise BadInput(f"{path} can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} is {otherwise}")
    return content


def _text(path: Path) -> str:
    """The text of a regular file of at most `LARGEST` bytes; what is no such file is never opened. Raises BadInput."""
    if not stat.S_ISREG(path.stat().st_mode):  # a device or a pipe may have no end
        raise BadInput(f"{path} is no regular file: put a YAML file there")
    with path.open("rb") as file:
        body = file.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise BadInput(f"{path} is larger than {LARGEST // 1_000_000} MB: it isn't read as YAML")
    return body.decode("utf-8")
