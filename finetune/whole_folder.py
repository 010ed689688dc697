"""Folders that are written whole or not at all."""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from data.errors import BadInput, WorkFolderError


@contextmanager
def whole_folder(out: Path, size: int = 0) -> Iterator[Path]:
    """A hidden folder beside `out`, which takes its name at the end; after an error or Ctrl-C nothing is left of it.

    What a kill leaves keeps its hidden name, and goes when the same is exported again. `size`: bytes to come, at least.
    Raises BadInput where `out` is there already, WorkFolderError where it can't be written.
    """
    if out.exists():
        raise BadInput(f"{out} exists already: name another folder with -o, or remove it")
    part = out.parent / f".{out.name}.part"
    lock = FileLock(part / ".lock", timeout=0)
    try:
        part.mkdir(parents=True, exist_ok=True)
        with lock:
            try:
                for left in part.iterdir():
                    if left.name != ".lock":
                        left.unlink()
                if (free := shutil.disk_usage(part).free) < size:
                    raise BadInput(
                        f"{out.parent.absolute()} has room for {free / 1e6:,.0f} MB, and this takes "
                        f"{math.ceil(size / 1e6):,}: make some, or give -o"
                    )
                yield part
                lock.release()
                (part / ".lock").unlink(missing_ok=True)
                part.rename(out)
            except BaseException:
                lock.release()
                shutil.rmtree(part, ignore_errors=True)
                raise
    except Timeout as error:
        raise WorkFolderError(f"{out} is being written by another process: wait for it, or give -o") from error
    except (OSError, SafetensorError) as error:  # a full disk, or a file of the base that is damaged
        reason = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or part
        raise WorkFolderError(f"{where} can't be written, or what it is made of can't be read: {reason}") from error
