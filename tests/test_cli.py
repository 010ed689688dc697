"""The command from outside: what it prints, how it ends, and one clear line for each thing that can be wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

SHAWGPT = [sys.executable, "-c", "from bot.cli import main; main()"]


def command_in(folder: Path):
    """A function that runs the command in `folder`, with a work folder there."""

    def run(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SHAWGPT_HOME": str(folder / "home"), "NO_COLOR": "1", "COLUMNS": "200"}
        done = subprocess.run([*SHAWGPT, *map(str, args)], capture_output=True, text=True, cwd=folder, env=environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def shawgpt(tmp_path: Path):
    return command_in(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose work folder has one document."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "known.txt").write_text("Something that is known about bread and its crust.")
    (folder / "two.csv").write_text("a,b\n1,2\n")
    (folder / "scan.pdf").write_bytes(b"%PDF-1.4 and so on")
    (folder / "-dash.md").write_text("Something else.")
    (folder / "empty-folder").mkdir()
    command_in(folder)("ingest", "known.txt")
    return folder


def one_line(run: subprocess.CompletedProcess[str]) -> str:
    assert run.stderr.startswith("shawgpt: ")
    assert run.stderr.count("\n") == 1
    return run.stderr


def test_way_from_a_folder_to_a_cited_answer_and_back(shawgpt, write):
    write("docs/rest.md", "# Resting\n\nThe dough rests for nine hours in a cold room before it is shaped.")
    write("docs/bake.md", "# Baking\n\nBake the loaf at 230 degrees for forty minutes until it sounds hollow.")
    report = json.loads(shawgpt("ingest", "docs", "--json").stdout)
    assert report["counts"] == {"added": 2, "updated": 0, "unchanged": 0, "empty": 0, "rejected": 0, "skipped": 0}

    sources = json.loads(shawgpt("sources", "--json").stdout)
    assert [Path(source["source"]).name for source in sources] == ["bake.md", "rest.md"]

    found = json.loads(shawgpt("search", "how long does the dough rest", "-k", 1, "--json").stdout)
    (passage,) = found["passages"]
    assert list(passage) == [
        "rank", "score", "source", "title", "page_start", "page_end", "heading", "chunk_id", "text", "kind", "place"
    ]  # fmt: skip
    assert "nine hours" in passage["text"]

    answer = json.loads(shawgpt("ask", "How long does the dough rest?", "--json").stdout)
    assert list(answer) == [
        "question", "answer", "status", "sentences", "passages", "responder", "reason", "usage"
    ]  # fmt: skip
    assert answer["status"] == "answered"
    assert answer["responder"] == "extractive"
    assert all(support["quote"] in passage["text"] for s in answer["sentences"] for support in s["support"])

    assert "2 documents, 2 chunks" in shawgpt("sources").stdout
    assert "(1 chunk)" in shawgpt("forget", "docs/rest.md").stdout
    assert "1 document, 1 chunk\n" in shawgpt("sources").stdout
    assert "nine hours" not in shawgpt("search", "how long does the dough rest", "--json").stdout


def test_many_queries_give_a_json_line_each_in_order(shawgpt, write):
    write("a.txt", "Bread rests overnight before it is baked in the oven.")
    shawgpt("ingest", "a.txt")
    queries = write("queries.txt", "bread\n\n“oven” OR NEAR(\n日本語\n")
    lines = [json.loads(line) for line in shawgpt("search", "--queries", queries, "--json").stdout.splitlines()]
    assert [line["query"] for line in lines] == ["bread", "“oven” OR NEAR(", "日本語"]
    asked = [json.loads(line) for line in shawgpt("ask", "--questions", queries, "--json").stdout.splitlines()]
    assert [line["status"] in ("answered", "abstained") for line in asked] == [True] * 3


def test_replies_to_a_csv_say_what_wrote_them(shawgpt, write):
    pairs = write(
        "past.csv", 'Comment,Response\n"Great video, thanks!","Glad you liked it!"\n"Loved this","Thank you so much!"\n'
    )
    assert "2 new past replies" in shawgpt("import", "replies", pairs).stdout
    assert "0 new past replies" in shawgpt("import", "replies", pairs).stdout
    comments = write(
        "in.csv", 'id,Comment\n7,"Thank you, this was so helpful!"\n8,"Buy crypto at my telegram t.me/x now!!!"\n'
    )
    result = json.loads(shawgpt("reply", comments, "-o", "out.csv", "--json").stdout)
    assert result["rows"] == 2
    assert set(result["counts"]) == {"drafted", "needs_you"}
    assert "extractive" in Path(comments).with_name("out.csv").read_text(encoding="utf-8")
    assert "complete already" in shawgpt("reply", comments, "-o", "out.csv").stderr


def test_document_that_cannot_be_read_is_named_and_the_rest_is_taken(shawgpt, write, tmp_path):
    write("docs/good.txt", "Bread rests overnight before it is baked in the oven.")
    (tmp_path / "docs/bad.pdf").write_bytes(b"this is no PDF")
    report = json.loads(shawgpt("ingest", "docs", "--json", code=1).stdout)
    outcomes = {Path(entry["source"]).name: entry["outcome"] for entry in report["documents"]}
    assert outcomes == {"good.txt": "added", "bad.pdf": "rejected"}
    assert all(entry["reason"] for entry in report["documents"] if entry["outcome"] == "rejected")


def test_feed_that_cannot_be_fetched_is_rejected_and_the_rest_is_taken(shawgpt, write):
    good = write("good.txt", "Bread rests overnight before it is baked in the oven.")
    report = json.loads(shawgpt("ingest", good, "http://127.0.0.1:9/feed.xml", "--json", code=1).stdout)
    assert (report["counts"]["added"], report["counts"]["rejected"]) == (1, 1)
    rejected = next(entry for entry in report["documents"] if entry["outcome"] == "rejected")
    assert rejected["source"] == "http://127.0.0.1:9/feed.xml"
    assert "private" in rejected["reason"]


def test_document_that_is_unchanged_is_told_with_its_chunks(shawgpt, write):
    good = write("good.txt", "Bread rests overnight before it is baked in the oven.")
    first, again = (json.loads(shawgpt("ingest", good, "--json").stdout)["documents"][0] for _ in range(2))
    assert again["outcome"] == "unchanged"
    assert again["embedded"] == 0
    assert again["chunks"] == first["chunks"] == 1


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["ingest", "missing.pdf"], "missing.pdf"),
        (["ingest", "empty-folder"], "empty-folder"),
        (["search", "bread", "--kb", "nowhere"], "no knowledge base 'nowhere'"),
        (["search"], "give a query"),
        (["ask"], "give a question"),
        (["ask", "x", "--persona", "nobody"], "shawgpt"),
        (["ask", "x", "--responder", "oracle"], "known: extractive, local"),
        (["reply", "missing.csv", "-o", "out.csv"], "missing.csv"),
        (["reply", "two.csv", "-o", "out.csv"], "--column"),
        (["reply", "two.csv", "-o", "out.csv", "--column", "c"], "'a', 'b'"),
        (["import", "replies", "two.csv"], "--reply-column"),
        (["persona", "show", "../../etc/passwd"], "name"),
        (["forget", "nothing.txt"], "nothing.txt"),
        (["doctor", "--restore", "missing.sqlite3"], "missing.sqlite3"),
        (["doctor", "--restore", "two.csv"], "two.csv is no back-up"),
        (["doctor", "--restore", "a.sqlite3", "--backup", "b.sqlite3"], "--restore and --backup in one"),
        (["ask", "--questions", "scan.pdf"], "give a text file of questions, one a line"),
        (["ingest", "www.example.com/feed.xml"], "https://www.example.com/feed.xml"),
        (["ingest", ""], "one of the paths is empty"),
        (["ask", " "], "give a question"),
        (["search", ""], "give a query"),
        (["reply", "two.csv", "-o", "out.csv", "--column", "a", "--kb", "nowhere"], "known: default"),
        (["persona", "new", "Maya", "--from", "two.csv"], "--reply-column"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do_and_changes_nothing(used, args, expected):
    database = used / "home/shawgpt.sqlite3"
    before = database.read_bytes()
    assert expected in one_line(command_in(used)(*args, code=2))
    assert database.read_bytes() == before
    assert not (used / "out.csv").exists()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["reply"], "missing argument 'COMMENTS' (see `shawgpt reply --help`)"),
        (["reply", "two.csv"], "missing option '-o' / '--output' (see `shawgpt reply --help`)"),
        (["reply", "two.csv", "--nope"], "no such option: --nope"),
        (["search", "x", "-k", "0"], "(see `shawgpt search --help`)"),
        (["persona", "nwe"], "no such command 'nwe'"),
        (["rply"], "Did you mean 'reply'?"),
        (["ask", "a", "b"], "(see `shawgpt ask --help`)"),
        (["ingest", "-dash.md"], "(the file -dash.md is given as ./-dash.md)"),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_the_help_is(used, args, expected):
    run = command_in(used)(*args, code=2)
    assert expected in one_line(run)
    assert run.stdout == ""


def test_version_is_told(used):
    assert command_in(used)("--version").stdout == f"shawgpt {version('shawgpt')}\n"


def test_file_without_questions_is_named(used):
    (used / "none.txt").write_text("\n \n")
    run = command_in(used)("ask", "--questions", "none.txt", code=2)
    assert one_line(run) == "shawgpt: none.txt has no questions in it: give one a line\n"
    assert run.stdout == ""


def test_columns_called_like_those_of_the_drafts_are_named(shawgpt, write):
    run = shawgpt("reply", write("in.csv", "Comment,reply,flags\nThank you so much!,a,b\n"), "-o", "out.csv")
    assert "has reply, flags of its own" in one_line(run)


def test_nothing_asked_for_is_answered_with_the_help(used):
    run = command_in(used)(code=2)
    assert "Usage: shawgpt" in run.stdout
    assert run.stderr == ""


def test_reply_in_another_manner_on_one_output_is_refused_in_one_line(shawgpt, write):
    write("home/personas/nell.yaml", "name: Nell\ninstructions: Answer kindly.\n")
    comments = write("in.csv", "remark,n\nThank you so much for this!,1\nWhat a lovely loaf this is!,2\n")
    shown = shawgpt("reply", comments, "-o", "out.csv", "--column", "remark", "--limit", "1", "--table").stdout
    assert "Thank you so much" in shown
    refused = one_line(shawgpt("reply", comments, "-o", "out.csv", "--persona", "nell", code=2))
    assert "begun with --persona shawgpt: go on with that, give -o another file, or --overwrite it" in refused
    assert "2 rows" in shawgpt("reply", comments, "-o", "out.csv").stdout


@pytest.mark.skipif(os.name == "nt", reason="terminals")
def test_terminal_is_told_that_an_answer_takes_a_while(used):
    ours, theirs = os.openpty()
    environment = {**os.environ, "SHAWGPT_HOME": str(used / "home"), "TERM": "xterm"}
    process = subprocess.Popen([*SHAWGPT, "ask", "bread"], stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert "Looking it up…" in said.decode()


def test_what_could_not_be_read_is_named_on_stderr_where_stdout_is_for_a_program(shawgpt, write):
    write("docs/good.txt", "Bread rests overnight before it is baked in the oven.")
    write("docs/empty.md", "")
    for options in ([], ["--json"]):
        assert one_line(shawgpt("ingest", "docs", *options, code=1)) == "shawgpt: docs/empty.md: an empty file\n"


def test_compiling_without_a_model_is_an_error(shawgpt):
    assert one_line(shawgpt("serve", "--compile", code=2)).startswith("shawgpt: --compile is for a model on this comp")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["ingest", "docs"], ["serve", "--port", "0"]])
def test_stopping_it_says_that_what_was_done_is_saved(tmp_path, write, command, sent):
    for number in range(200):
        write(f"docs/{number}.txt", f"Document {number} has a sentence about bread and its crust. " * 40)
    process = subprocess.Popen(
        [*SHAWGPT, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not (tmp_path / ".shawgpt/shawgpt.sqlite3").exists():
        time.sleep(0.05)
    process.send_signal(sent)
    said = "".join(process.communicate(timeout=60))
    assert process.returncode in (0, 130)
    assert "saved" in said
    assert "Traceback" not in said
    assert not (tmp_path / ".shawgpt/lock.json").exists()


def test_comments_without_a_row_are_named(shawgpt, write):
    run = shawgpt("reply", write("in.csv", "comment\n"), "-o", "out.csv")
    assert "no comments" in run.stderr
    assert "complete" not in run.stderr


def test_restoring_twice_keeps_both_databases_and_says_where(shawgpt, write, tmp_path):
    write("a.txt", "Bread rests overnight before it is baked in the oven.")
    shawgpt("doctor", "--backup", "empty.sqlite3")
    shawgpt("ingest", "a.txt")
    for name in ("shawgpt.before-restore", "shawgpt.before-restore-2"):
        assert f"kept as {tmp_path}/home/{name}\n" in shawgpt("doctor", "--restore", "empty.sqlite3").stdout
    assert len(list((tmp_path / "home").glob("*.before-restore*"))) == 2
    assert b"overnight" in (tmp_path / "home/shawgpt.before-restore").read_bytes()


def test_private_address_is_refused_by_name(shawgpt):
    report = json.loads(shawgpt("ingest", "http://127.0.0.1:9/post", "--json", code=1).stdout)
    (entry,) = report["documents"]
    assert entry["outcome"] == "rejected"
    assert "private" in entry["reason"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_work_folder_is_named(shawgpt, tmp_path, write):
    (tmp_path / "home").mkdir(mode=0o500)
    assert "--home" in one_line(shawgpt("ingest", write("a.txt", "words"), code=2))


def test_looking_where_nothing_is_makes_no_work_folder(shawgpt, tmp_path):
    assert "No documents yet" in shawgpt("sources").stdout
    assert "no documents yet" in shawgpt("ask", "How long does it rest?").stdout
    assert not (tmp_path / "home").exists()


def test_persona_made_from_past_replies_can_be_used(shawgpt, write):
    replies = "".join(f'"Comment {i}","Thanks for watching, number {i}! ~Maya"\n' for i in range(12))
    pairs = write("past.csv", f"Comment,Response\n{replies}")
    assert "--persona maya" in shawgpt("persona", "new", "Maya", "--from", pairs).stdout
    assert "jose-n.yaml: read it through, then use it with --persona jose-n" in (
        shawgpt("persona", "new", "José Ñ", "--from", pairs).stdout
    )
    assert "Maya" in shawgpt("persona", "list").stdout
    assert "signature: ~Maya" in shawgpt("persona", "show", "maya").stdout
    assert json.loads(shawgpt("persona", "show", "maya", "--json").stdout)["signature"] == "~Maya"
    made = json.loads(shawgpt("persona", "new", "Zoe", "--from", pairs, "--json").stdout)
    assert made["persona"] == "zoe"
    assert "shipped persona" in one_line(shawgpt("persona", "new", "ShawGPT", "--from", pairs, code=2))
    assert "exists already" in one_line(shawgpt("persona", "new", "Maya", "--from", pairs, code=2))


def test_every_command_has_an_example_in_its_help(shawgpt):
    for command in (
        "ingest",
        "sources",
        "forget",
        "search",
        "ask",
        "reply",
        "serve",
        "doctor",
        "import replies",
        "persona new",
        "persona list",
        "persona show",
    ):
        assert f"Example: shawgpt {command}" in shawgpt(*command.split(), "--help").stdout


def test_help_loads_no_heavy_package():
    code = (
        "import sys; sys.argv = ['shawgpt', '--help']\nfrom bot.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'chromadb', 'gradio', 'numpy', 'onnxruntime', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.strip() == "[]"
