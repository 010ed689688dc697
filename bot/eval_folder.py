"""The folder that an evaluation is written to."""

from pathlib import Path
from tempfile import TemporaryFile

from data.errors import BadInput


def check_writable(folder: Path) -> None:
    """Make `folder`, and raise BadInput where nothing can be written in it, before all the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(unwritable(folder, error)) from error


def unwritable(folder: Path, error: OSError) -> str:
    """Why nothing can be written to `folder`, and what to do."""
    return f"{folder} can't be written ({error.strerror}): give another folder with -o"
