"""JSON files that come with a model or an adapter: whoever made those may have written anything into them."""

import json
from pathlib import Path
from typing import Any

MOST = 16 << 20  # bytes; tokenizer_config.json has been seen with two million
_DEEPEST = 100  # objects and lists in one another


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file of at most 16 MiB. Raises ValueError, saying why, where there is none that can be read.

    What it returns is nested so little that it can be written, compared and walked.
    """
    try:
        if not path.is_file():
            raise ValueError("it is no regular file")
        if path.stat().st_size > MOST:
            raise ValueError(f"it is larger than {MOST >> 20} MiB")
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(error.strerror or "it can't be opened") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        level = [inner for each in level if isinstance(each, dict | list)
                 for inner in (each.values() if isinstance(each, dict) else each)]  # fmt: skip
    if level:
        raise ValueError("it is nested too deep")
    return content
