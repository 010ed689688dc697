"""Batch replies: every row once and in order, whatever happens on the way."""

import csv
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.drafts import Draft, WrittenBy
from bot.drafts_log import DraftLog, OutputRecord
from bot.reply import Drafts, reply_to_csv
from data.csvio import read_comments
from data.database import Database
from data.errors import BadInput, WorkFolderError

EXTRACTIVE = WrittenBy("extractive")
COMMENTS = ["Nice one", "=1+1", 'a "quoted"\nline', "naïve 😀", "", "@you", "last, with comma"] * 5


def draft(comment: str, recent: tuple[str, ...]) -> Draft:
    """A draft that depends on what went before, as the real ones do."""
    return Draft(f"re {comment} ({len(recent)}, {recent[-1][:4] if recent else ''})", "drafted", "thanks")


def one_by_one(write: Callable[[str, tuple[str, ...]], Draft]) -> Drafts:
    """A responder that takes comments one after the other."""
    return lambda comments, recent: ((number, write(comment, recent)) for number, comment in enumerate(comments))


@pytest.fixture
def comments(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["n", "Comment"], *enumerate(COMMENTS)])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_comes_out_once_in_order_with_its_own_columns(comments, tmp_path):
    state = reply_to_csv(comments, tmp_path / "out.csv", one_by_one(draft), EXTRACTIVE)
    rows = rows_of(tmp_path / "out.csv")
    assert state.done == len(COMMENTS) == len(rows)
    assert list(rows[0]) == ["n", "Comment", "reply", "status", "intent", "flags", "sources", "responder", "adapter"]
    assert [row["n"] for row in rows] == [str(n) for n in range(len(COMMENTS))]
    assert rows[1]["Comment"] == "'=1+1"
    assert not any(cell[:1] in "=+@\t\r\0" for row in rows for cell in row.values() if cell)


def test_torn_output_is_completed_to_what_an_undisturbed_run_writes(comments, tmp_path):
    whole = tmp_path / "whole.csv"
    reply_to_csv(comments, whole, one_by_one(draft), EXTRACTIVE)
    body = whole.read_bytes()
    for cut in [0, 1, 30, *random.Random(5).sample(range(len(body)), 60), len(body) - 1, len(body)]:
        torn = tmp_path / "torn.csv"
        torn.write_bytes(body[:cut])
        reply_to_csv(comments, torn, one_by_one(draft), EXTRACTIVE)
        assert torn.read_bytes() == body, f"cut at byte {cut}"


def test_row_that_fails_is_named_and_the_rest_is_drafted(comments, tmp_path):
    def fails_on_commas(comment: str, recent: tuple[str, ...]) -> Draft:
        if "," in comment:
            raise RuntimeError("no commas today")
        return draft(comment, recent)

    state = reply_to_csv(comments, tmp_path / "out.csv", one_by_one(fails_on_commas), EXTRACTIVE)
    assert state.counts == {"drafted": 30, "failed": 5}
    failed = [row for row in rows_of(tmp_path / "out.csv") if row["status"] == "failed"]
    assert {row["Comment"] for row in failed} == {"last, with comma"}
    assert "no commas today" in failed[0]["flags"]
    assert failed[0]["reply"] == ""


def test_output_of_another_input_is_not_touched(comments, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("precious,notes\n1,2\n")
    with pytest.raises(BadInput, match="--overwrite"):
        reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
    assert out.read_text() == "precious,notes\n1,2\n"


def test_output_that_was_edited_in_between_is_not_touched(comments, tmp_path):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=5)
    edited = out.read_bytes().replace(b"Nice one", b"Mine now", 1)
    out.write_bytes(edited)
    with pytest.raises(BadInput, match="--overwrite"):
        reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
    assert out.read_bytes() == edited


def test_replies_edited_in_a_spreadsheet_survive_a_second_run(comments, tmp_path):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=5)
    out.write_bytes(out.read_bytes().replace(b"re Nice one", b"my own words", 1))
    state = reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
    assert state.resumed == 5
    assert rows_of(out)[0]["reply"].startswith("my own words")


def test_limit_then_more_goes_on_behind_the_limit(comments, tmp_path):
    out = tmp_path / "out.csv"
    assert reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=3).done == 3
    state = reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
    assert (state.resumed, state.done) == (3, len(COMMENTS))


def test_overwrite_starts_again(comments, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("anything")
    assert reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, overwrite=True).resumed == 0
    assert len(rows_of(out)) == len(COMMENTS)


def test_input_is_never_the_output(comments):
    before = comments.read_bytes()
    with pytest.raises(BadInput, match="is the input"):
        reply_to_csv(comments, comments, one_by_one(draft), EXTRACTIVE, overwrite=True)
    assert comments.read_bytes() == before


@pytest.mark.parametrize("output", ["/dev/null", "."])
def test_output_that_is_no_file_is_refused(comments, output):
    with pytest.raises(BadInput, match="is no file"):
        reply_to_csv(comments, Path(output), one_by_one(draft), EXTRACTIVE)


def test_second_run_on_one_output_is_refused_while_the_first_writes(comments, tmp_path):
    out = tmp_path / "out.csv"
    refused = []

    def draft_and_try(comment: str, recent: tuple[str, ...]) -> Draft:
        if not refused:
            with pytest.raises(BadInput) as caught:
                reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
            refused.append(str(caught.value))
        return draft(comment, recent)

    reply_to_csv(comments, out, one_by_one(draft_and_try), EXTRACTIVE)
    assert "another shawgpt" in refused[0]
    assert len(rows_of(out)) == len(COMMENTS)


def test_part_done_output_is_not_gone_on_with_by_another_responder(comments, tmp_path):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=5)
    before = out.read_bytes()
    with pytest.raises(BadInput, match="begun with --responder extractive: go on with that"):
        reply_to_csv(comments, out, one_by_one(draft), WrittenBy("another"))
    assert out.read_bytes() == before
    assert reply_to_csv(comments, out, one_by_one(draft), WrittenBy("another"), overwrite=True).resumed == 0


@pytest.fixture
def log(tmp_path: Path) -> DraftLog:
    (tmp_path / "home").mkdir()
    return DraftLog(Database(tmp_path / "home/shawgpt.sqlite3"))


def reply_as(log: DraftLog, comments: Path, out: Path, persona: str = "nell", kb: str = "default", **options) -> None:
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, record=OutputRecord(log, persona, kb), **options)


@pytest.mark.parametrize(
    ("other", "said"), [({"persona": "maya"}, "--persona nell:"), ({"kb": "b"}, "--persona nell --kb default:")]
)
def test_part_done_output_is_not_gone_on_with_in_another_manner(comments, tmp_path, log, other, said):
    out = tmp_path / "out.csv"
    reply_as(log, comments, out, limit=5)
    before = out.read_bytes()
    with pytest.raises(BadInput, match=said):
        reply_as(log, comments, out, **other)
    assert out.read_bytes() == before
    reply_as(log, comments, out)
    reply_as(log, comments, out, **other, overwrite=True)
    assert len(rows_of(out)) == len(COMMENTS)


def test_drafts_of_a_file_are_recorded_for_the_page_as_one_batch_however_often_it_is_gone_on_with(
    comments, tmp_path, log
):
    out = tmp_path / "out.csv"
    for limit in (3, 9, None):
        reply_as(log, comments, out, limit=limit)
    (batch,) = log.latest()
    assert (batch.name, batch.persona, batch.rows, batch.waiting) == ("in.csv", "nell", len(COMMENTS), 0)
    assert log.from_a_file() == log.of_output(str(out)) == batch
    assert [row.reply for row in log.rows(batch.id)] == [draft_of["reply"].lstrip("'") for draft_of in rows_of(out)]


def test_rows_that_the_record_lacks_are_taken_from_the_file(comments, tmp_path, log):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=4)
    reply_as(log, comments, out, limit=6)
    (batch,) = log.latest()
    assert batch.waiting == 0
    assert [row.draft.reply for row in log.rows(batch.id) if row.draft] == [row["reply"] for row in rows_of(out)]


def test_file_of_the_same_name_with_other_comments_is_another_batch(comments, tmp_path, log):
    out = tmp_path / "out.csv"
    reply_as(log, comments, out, persona="maya")
    other = tmp_path / "other.csv"
    other.write_text("n,Comment\n1,Hello there\n2,And again\n")
    out.unlink()
    reply_to_csv(other, out, one_by_one(draft), EXTRACTIVE, limit=1)
    reply_as(log, other, out)
    assert [(batch.persona, batch.rows) for batch in log.latest()] == [("nell", 2), ("maya", len(COMMENTS))]


def test_work_folder_that_cannot_be_written_stops_no_drafting_and_is_named(comments, tmp_path, log, monkeypatch):
    def full(*_):
        raise WorkFolderError("the disk is full")

    monkeypatch.setattr(DraftLog, "save", full)
    record = OutputRecord(log, "nell", "default")
    reply_to_csv(comments, tmp_path / "out.csv", one_by_one(draft), EXTRACTIVE, record=record)
    assert len(rows_of(tmp_path / "out.csv")) == len(COMMENTS)
    assert record.trouble == "the disk is full"


def test_page_gets_no_more_rows_of_a_long_file_than_it_shows(tmp_path, log):
    comments = tmp_path / "long.csv"
    comments.write_text("Comment\n" + "Nice one\n" * 2100)
    reply_to_csv(
        comments, tmp_path / "out.csv", one_by_one(lambda *_: Draft("Thanks", "drafted", "thanks")), EXTRACTIVE, limit=1
    )
    record = OutputRecord(log, "nell", "default")
    record.begin(comments, tmp_path / "out.csv", ["Comment"], [("Nice one",)] * 2100, 0, [])
    record.save(2099, Draft("Thanks", "drafted", "thanks"), EXTRACTIVE)
    (batch,) = log.latest()
    assert (batch.rows, batch.waiting) == (2000, 2000)


def test_earlier_output_as_input_has_its_drafts_made_anew_in_one_set_of_columns(comments, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    reply_to_csv(
        comments,
        first,
        one_by_one(lambda *_: Draft("old", "needs_you", "thanks", ("old flag",))),
        WrittenBy("old responder"),
    )
    reply_to_csv(first, second, one_by_one(draft), EXTRACTIVE)
    whole = tmp_path / "whole.csv"
    reply_to_csv(comments, whole, one_by_one(draft), EXTRACTIVE)
    assert second.read_bytes() == whole.read_bytes()


def test_columns_of_the_inputs_own_that_are_called_like_ours_are_kept(tmp_path):
    comments = tmp_path / "in.csv"
    comments.write_text("Comment,reply,status\nNice one,mine,open\n")
    out, again = tmp_path / "out.csv", tmp_path / "again.csv"
    for source, target in ((comments, out), (out, again)):
        reply_to_csv(source, target, one_by_one(draft), EXTRACTIVE)
        with open(target, newline="", encoding="utf-8") as file:
            header, row = csv.reader(file)
        assert header[:5] == ["Comment", "reply", "status", "reply", "status"]
        assert row[:3] == ["Nice one", "mine", "open"]
        assert len(row) == 10


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8"), (";", "cp1252")]
)
def test_output_has_the_form_of_its_input_also_when_it_is_gone_on_with(tmp_path, delimiter, encoding):
    comments, whole, out = tmp_path / "in.csv", tmp_path / "whole.csv", tmp_path / "out.csv"
    said = ["Nice; one", "tab\there", "Größe, really", "=1", 'a "quoted"\nline']
    with open(comments, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([["n", "Comment"], *enumerate(said)])
    reply_to_csv(comments, whole, one_by_one(draft), EXTRACTIVE)
    body = whole.read_bytes()
    assert body.startswith(b"\xef\xbb\xbf") == (encoding in ("utf-8-sig", "utf-16"))
    rows = list(csv.DictReader(body.decode("utf-8-sig").splitlines(keepends=True), delimiter=delimiter))
    assert [row["Comment"] for row in rows] == ["'=1" if comment == "=1" else comment for comment in said]
    assert read_comments(whole, None)[0].rows == [(str(n), comment) for n, comment in enumerate(said)]
    for cut in range(0, len(body), 7):
        out.write_bytes(body[:cut])
        reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
        assert out.read_bytes() == body, f"cut at byte {cut}"


def test_output_with_more_rows_than_the_limit_is_told_so_and_left(comments, tmp_path):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=10)
    before = out.read_bytes()
    with pytest.raises(BadInput, match="has 10 rows already, more than --limit 2"):
        reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=2)
    assert out.read_bytes() == before


def test_statuses_that_a_person_has_set_are_counted_as_they_are(comments, tmp_path):
    out = tmp_path / "out.csv"
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=5)
    out.write_bytes(out.read_bytes().replace(b",drafted,", b",approved,", 2).replace(b",drafted,", b",,", 1))
    state = reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE, limit=6)
    assert state.counts == {"approved": 2, "without a status": 1, "drafted": 3}


def test_columns_of_the_inputs_own_that_are_called_like_ours_are_told(tmp_path):
    comments = tmp_path / "in.csv"
    comments.write_text("Comment,reply,flags,id\nNice one,mine,open,1\n")
    assert reply_to_csv(comments, tmp_path / "out.csv", one_by_one(draft), EXTRACTIVE).doubled == ("reply", "flags")


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_reply import EXTRACTIVE, draft, one_by_one
from bot.reply import reply_to_csv
left = int(sys.argv[1])
def mortal(comment, recent):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    return draft(comment, recent)
reply_to_csv(Path({comments!r}), Path({out!r}), one_by_one(mortal), EXTRACTIVE)
"""


def test_kill_9_loses_and_doubles_no_row(comments, tmp_path):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    reply_to_csv(comments, whole, one_by_one(draft), EXTRACTIVE)
    code = KILLED.format(folder=str(Path(__file__).parent), comments=str(comments), out=str(out))
    for rows in (3, 0, 7, 11):
        assert subprocess.run([sys.executable, "-c", code, str(rows)]).returncode == -9
    reply_to_csv(comments, out, one_by_one(draft), EXTRACTIVE)
    assert out.read_bytes() == whole.read_bytes()


def test_a_model_is_given_several_comments_at_a_time_and_rows_stay_in_order(comments, tmp_path):
    given: list[int] = []

    def backwards(batch: Sequence[str], recent: tuple[str, ...]):
        given.append(len(batch))
        for number in reversed(range(len(batch))):  # as length has it, not the order of the rows
            yield number, Draft(f"re {batch[number]}", "drafted", "thanks")

    out, by = tmp_path / "out.csv", WrittenBy("local", "maya")
    state = reply_to_csv(comments, out, backwards, by, together=lambda: 8)
    assert given == [8, 8, 8, 8, 3]
    rows = rows_of(out)
    assert [row["n"] for row in rows] == [str(n) for n in range(len(COMMENTS))]
    assert rows[2]["reply"] == f"re {COMMENTS[2]}"
    assert {(row["responder"], row["adapter"]) for row in rows} == {("local", "maya")}
    assert state.counts == {"drafted": len(COMMENTS)}
    with pytest.raises(BadInput, match="begun with --responder local --adapter maya"):
        reply_to_csv(comments, out, backwards, WrittenBy("local", "nell"), together=lambda: 8)


def test_a_batch_that_fails_is_tried_comment_by_comment(comments, tmp_path):
    def too_many(batch: Sequence[str], recent: tuple[str, ...]):
        yield 0, Draft("the first of them", "drafted", "thanks")
        if len(batch) > 1:
            raise MemoryError("out of memory")

    state = reply_to_csv(comments, tmp_path / "out.csv", too_many, EXTRACTIVE, together=lambda: 5)
    assert state.counts == {"drafted": len(COMMENTS)}
    assert {row["reply"] for row in rows_of(tmp_path / "out.csv")} == {"the first of them"}


def test_nothing_is_written_where_the_model_is_missing(comments, tmp_path):
    def missing() -> int:
        raise BadInput("no such model")

    with pytest.raises(BadInput, match="no such model"):
        reply_to_csv(comments, tmp_path / "out.csv", one_by_one(draft), EXTRACTIVE, together=missing)
    assert not (tmp_path / "out.csv").exists()
