"""Past comment/reply pairs from a CSV file."""

from pathlib import Path

from data.csvio import COMMENT_NAMES, REPLY_NAMES, find_column, read_table
from data.errors import BadInput


def read_pairs(
    path: Path, comment_column: str | None = None, reply_column: str | None = None
) -> tuple[list[tuple[str, str]], int]:
    """The (comment, reply) pairs of `path`, and how many rows lacked one of the two.

    Raises BadInput where the file or its columns can't be told.
    """
    table = read_table(path)
    reply = find_column(path, table, REPLY_NAMES, reply_column, "--reply-column")
    comment = find_column(path, table, COMMENT_NAMES, comment_column, "--comment-column")
    if comment == reply:
        raise BadInput(f"{path}: comments and replies can't be the same column, {table.columns[reply]!r}")
    pairs = [(row[comment].strip(), row[reply].strip()) for row in table.rows]
    whole = [pair for pair in pairs if all(pair)]
    return whole, len(pairs) - len(whole)
