"""The errors a user can meet. Each message is one line that says what is wrong and what to do."""

from data.hidden import show_hidden


class ShawGPTError(Exception):
    """Base of every error that is shown to the user as one line on stderr. Exit code 2: nothing changed."""

    exit_code = 2

    def __str__(self) -> str:
        """The message, whatever names and reasons it quotes: one line, and nothing that a terminal would obey."""
        return show_hidden(" ".join(super().__str__().splitlines()))


class BadInput(ShawGPTError):
    """A file, column, address or option that can't be used as given."""


class NotFound(ShawGPTError):
    """A persona, responder, knowledge base or source that doesn't exist; the message lists the known ones."""


class WorkFolderError(ShawGPTError):
    """The work folder can't be used: locked, of a newer version, on a full or read-only disk."""


class Rejected(ShawGPTError):
    """One document can't be taken; `str()` is the reason shown in the ingest report."""


class Empty(Rejected):
    """A document that could be read but holds no text (a scan, an empty file)."""


class TrainingStopped(ShawGPTError):
    """Training can't go on, or going on would waste time; the message says why and what to change."""


class AdapterRefused(ShawGPTError):
    """An adapter that was changed since it was trained, or that belongs to another base or prompt."""


class ProviderFailed(ShawGPTError):
    """A provider's model gave no reply to one request, however often it was asked; another request may do better."""


class ProviderRefused(ShawGPTError):
    """A provider's model gives no reply to any request: its key, name or address is wrong, or nobody is there."""
