"""The work folder: where everything a user makes lives, and the lock that lets one process at a time write to it."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from data.errors import WorkFolderError

LOCK_WAIT = 0.5  # seconds; a second writer hears within one second that it can't write


class WorkFolder:
    """A folder with one database, the Chroma index and the user's personas."""

    def __init__(self, path: Path, writing: bool = True) -> None:
        """Use `path`; for `writing` it is made if need be. Raises WorkFolderError where that can't be done."""
        self.path = path.expanduser().absolute()
        try:
            if writing:
                self.path.mkdir(parents=True, exist_ok=True)
            if writing and not self.writable:
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise WorkFolderError(
                f"{self.path} can't be written, as this needs ({error.strerror}): see to its permissions, or choose "
                "another work folder with --home"
            ) from error
        self._lock = FileLock(self.path / "lock")
        self._holder = self.path / "lock.json"

    @property
    def database(self) -> Path:
        """The SQLite file: the system of record."""
        return self.path / "shawgpt.sqlite3"

    @property
    def index(self) -> Path:
        """The Chroma folder: can be deleted at any time, it is rebuilt from the database."""
        return self.path / "chroma"

    @property
    def personas(self) -> Path:
        """The user's own persona files."""
        return self.path / "personas"

    @property
    def writable(self) -> bool:
        """Whether it is there, and can be written."""
        return os.access(self.path, os.W_OK)

    @property
    def writing(self) -> bool:
        """Whether this process holds the writer's lock."""
        return self._lock.is_locked

    def try_lock(self, command: str) -> bool:
        """Take the writer's lock for `command` if it is free; False where another process has it.

        Raises WorkFolderError where the lock's file can't be opened.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise WorkFolderError(
                f"{self._lock.lock_file} can't be opened ({error.strerror}): see to its permissions, or choose another "
                "folder with --home"
            ) from error
        with suppress(OSError):  # the disk is full, say: the name of the holder is for other processes' messages alone
            self._holder.write_text(json.dumps({"pid": os.getpid(), "command": command, "since": int(time.time())}))
        return True

    def lock(self, command: str) -> None:
        """Take the writer's lock. Raises WorkFolderError, within a second, naming the process that holds it."""
        deadline = time.monotonic() + LOCK_WAIT
        while not self.try_lock(command):
            if time.monotonic() > deadline:
                raise WorkFolderError(
                    f"{self.path} is in use by {self._held_by()}: wait for it to end or stop it, then run this again"
                )
            time.sleep(0.05)

    def unlock(self) -> None:
        """Give the lock back. The system does so by itself when the process dies, however it dies."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _held_by(self) -> str:
        try:
            holder = json.loads(self._holder.read_text())
            return f"`shawgpt {holder['command']}` (process {holder['pid']})"
        except (OSError, ValueError, KeyError, TypeError):  # the holder has the lock but has not yet said who it is
            return "another shawgpt"


def default_home() -> Path:
    """`SHAWGPT_HOME`, else `.shawgpt` in the current folder."""
    return Path(os.environ.get("SHAWGPT_HOME") or ".shawgpt")
