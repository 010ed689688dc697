"""YAML files that people write."""

from pathlib import Path
from typing import Any

from data.errors import BadInput


def read_mapping(path: Path, otherwise: str) -> dict[str, Any]:
    """The keys and values of a YAML file. Raises BadInput where it can't be read, or `otherwise` is what it is."""
    import yaml

    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} is {otherwise}")
    return content
