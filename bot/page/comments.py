"""Comments as they come in: pasted text or a CSV file, as a table with the column that holds them."""

from pathlib import Path

from bot.drafts_log import MOST
from bot.page.citations import file_name
from data.csvio import COMMENT_NAMES, Table, find_column, looks_like_data, read_table, without_drafts
from data.errors import BadInput

PASTED = "Pasted comments"
COLUMN = "Column with the comments"  # the field in which one is chosen


def comments_from(file: str | None, text: str, column: str | None) -> tuple[str, Table, int]:
    """The batch's name, its table, and the index of the comment column (found where `column` is None).

    Raises BadInput where there is a file and text, neither, or too many; or the file can't be used.
    """
    if file and text.strip():
        raise BadInput("there are pasted comments and a file: draft one at a time, and take the other out until then")
    if file:
        path = Path(file)
        try:
            title, table, index = file_name(path.name), *_read(path, column)
        except BadInput as error:  # the user knows the file by its name, not by where the server has put it
            raise BadInput(str(error).replace(str(path), path.name)) from error
    else:
        comments = split_comments(text)
        title, table, index = PASTED, Table(("comment",), [(comment,) for comment in comments]), 0
    if not table.rows:
        raise BadInput("there are no comments yet: paste some, or choose a CSV file")
    if len(table.rows) > MOST:
        raise BadInput(f"{len(table.rows):,} comments are too many for the page (up to {MOST:,}): use `shawgpt reply`")
    return title, table, index


def columns_of(file: str) -> tuple[str, ...]:
    """The columns that may hold the comments; none for a file without a header. Raises BadInput."""
    columns = without_drafts(read_table(Path(file))).columns
    return () if looks_like_data(columns) else columns


def split_comments(text: str) -> list[str]:
    """Pasted text as comments: parted by blank lines where there are any, else one a line."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if all(lines):
        return [line.strip() for line in lines]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def _read(path: Path, column: str | None) -> tuple[Table, int]:
    table = without_drafts(read_table(path))
    if not table.rows and not looks_like_data(table.columns):
        raise BadInput(f"{path} has a header and no rows")
    return table, find_column(path, table, COMMENT_NAMES, column, f"“{COLUMN}”")
