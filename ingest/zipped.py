"""Office files and e-books are zip archives: what is looked at before any of it is unpacked."""

import zipfile
from io import BytesIO

from data.errors import Rejected

OLE = b"\xd0\xcf\x11\xe0"  # begins old Office files (DOC, XLS, PPT), and new ones that have a password
OLD_OFFICE = "an encrypted or old Office file: save it as DOCX, PPTX or XLSX without a password"

_MOST_UNPACKED = 100_000_000  # bytes
_MOST_PARTS = 10_000
_MOST_RATIO = 200  # a part packed tighter than this isn't prose


def open_archive(data: bytes, what: str, most: int = _MOST_UNPACKED) -> zipfile.ZipFile:
    """The archive in `data`, which is to be `what` ("DOCX"). Raises Rejected for a zip bomb, an old or damaged file."""
    if data.startswith(OLE):
        raise Rejected(OLD_OFFICE)
    try:
        archive = zipfile.ZipFile(BytesIO(data))
        parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Rejected(f"not a readable {what}: damaged, or another kind of file") from error
    if sum(part.file_size for part in parts) > most or len(parts) > _MOST_PARTS:
        raise Rejected(f"unpacks to more than {most // 1_000_000} MB: not a document")
    if any(part.file_size > 10_000_000 and part.file_size > _MOST_RATIO * part.compress_size for part in parts):
        raise Rejected("packed tighter than any document: a zip bomb?")
    return archive


def unpacked(archive: zipfile.ZipFile, name: str, most: int, what: str) -> bytes:
    """The part `name`, whatever size it is said to have. Raises KeyError where there is none, Rejected otherwise."""
    try:
        with archive.open(name) as part:
            body = part.read(most + 1)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Rejected(f"not a readable {what} (damaged)") from error
    except Exception as error:
        if isinstance(error, KeyError):
            raise
        raise Rejected(f"not a readable {what} ({type(error).__name__})") from error  # zlib.error and lzma's
    if len(body) > most:
        raise Rejected(f"a part of it unpacks to more than {most // 1_000_000} MB: not a document")
    return body
