"""The whole way: documents in, an adapter trained on past replies, comments answered with it, from the command line."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

SHAWGPT = [sys.executable, "-c", "from bot.cli import main; main()"]
SAMPLE = Path(__file__).parents[1] / "data" / "sample"
COMMENTS = (
    "Comment\nThank you so much! This was really helpful\nHow long should coffee rest after roasting?\n"
    "You are a fraud and your videos are rubbish\nLoved this one :)\n"
)
RECIPE = {
    "name": "nell-1", "format": "replies", "persona": "nell", "held_out": 0.2, "quantisation": "nf4",
    "optimiser": "adamw_torch", "checkpointing": False, "lora": {"rank": 16, "alpha": 32},
    "learning_rate": 5e-3, "schedule": "constant", "epochs": 4, "batch_size": 8, "max_tokens": 512, "seed": 1,
}  # fmt: skip

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def shawgpt(folder: Path) -> Run:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def run(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [*SHAWGPT, *map(str, args)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def tuned(folder: Path, shawgpt: Run, tiny_base: Path) -> Path:
    """The work folder with a post, a persona, and an adapter of hers."""
    personas = folder / ".shawgpt" / "personas"
    personas.mkdir(parents=True)
    persona = {**yaml.safe_load((SAMPLE / "nell.yaml").read_text("utf-8")), "signature": "-Nell"}
    persona["sampling"] = {"max_tokens": 40}
    (personas / "nell.yaml").write_text(yaml.safe_dump(persona), "utf-8")
    (folder / "nell.yaml").write_text(yaml.safe_dump({**RECIPE, "base": str(tiny_base)}), "utf-8")
    (folder / "comments.csv").write_text(COMMENTS, "utf-8")
    shawgpt("ingest", SAMPLE / "posts")
    shawgpt("train", "nell.yaml", "--data", SAMPLE / "past_replies.csv")
    return folder / ".shawgpt"


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_comments_are_answered_with_the_adapter_that_was_trained_for_them(folder, shawgpt, tuned):
    done = shawgpt("reply", "comments.csv", "-o", "replies.csv", "--adapter", "nell-1")
    assert "4 rows" in done.stdout
    made = rows(folder / "replies.csv")
    assert {(row["responder"], row["adapter"]) for row in made} == {("local", "nell-1")}
    for row in (made[0], made[1], made[3]):
        assert row["reply"].endswith(" -Nell")
        assert row["reply"].count("-Nell") == 1
        assert row["status"] == "drafted" or "not in the documents" in row["flags"]  # gibberish: most of it is told
    assert (made[2]["reply"], made[2]["status"]) == ("", "needs_you")  # an insult is not the model's to answer
    again = shawgpt("reply", "comments.csv", "-o", "again.csv", "--adapter", "nell-1")
    assert rows(folder / "again.csv") == made, again.stderr  # the same seed


def test_base_and_adapter_do_not_write_the_same(folder, shawgpt, tuned, tiny_base):
    shawgpt("reply", "comments.csv", "-o", "tuned.csv", "--adapter", "nell-1", "--sampling", "temperature=0")
    shawgpt(
        "reply",
        "comments.csv",
        "-o",
        "base.csv",
        "--persona",
        "nell",
        "--model",
        tiny_base,
        "--sampling",
        "temperature=0",
    )
    by_adapter, by_base = rows(folder / "tuned.csv"), rows(folder / "base.csv")
    assert by_base[0]["adapter"] == ""
    assert by_adapter[0]["reply"] != by_base[0]["reply"]


def test_an_answer_by_the_model_has_a_source_for_what_it_says_or_is_none(shawgpt, tuned):
    answer = json.loads(shawgpt("ask", "How long should coffee rest?", "--adapter", "nell-1", "--json").stdout)
    assert answer["responder"] == "local (nell-1)"
    if answer["status"] == "answered":
        assert any(sentence["support"] for sentence in answer["sentences"])
    else:
        assert answer["reason"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--adapter", "nell-2"], "no adapter 'nell-2' (known: nell-1)"),
        (["--adapter", "../nell-1"], "no adapter '../nell-1'"),
        (["--adapter", "nell-1", "--persona", "shawgpt"], "use --persona nell unchanged, or train it again"),
        (["--adapter", "nell-1", "--model", "nowhere"], "neither a folder nor on this computer"),
        (["--adapter", "nell-1", "--responder", "extractive"], "the responder extractive has no model"),
        (["--adapter", "nell-1", "--sampling", "warmth=1"], "KEY is one of temperature"),
        (["--adapter", "nell-1", "--sampling", "temperature=9"], "--sampling temperature: must be at most 2"),
        (["--responder", "oracle"], "known: extractive, local"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(folder, shawgpt, tuned, args, said):
    done = shawgpt("reply", "comments.csv", "-o", "none.csv", *args, code=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "none.csv").exists()


def test_an_adapter_that_was_changed_and_a_persona_that_was_are_refused(folder, shawgpt, tuned):
    copy = tuned / "adapters" / "changed"
    shutil.copytree(tuned / "adapters" / "nell-1", copy)
    weights = bytearray((copy / "adapter_model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "adapter_model.safetensors").write_bytes(weights)
    assert "changed" in shawgpt("reply", "comments.csv", "-o", "none.csv", "--adapter", "changed", code=2).stderr
    shutil.rmtree(copy)
    own = tuned / "personas" / "nell.yaml"
    before = own.read_text("utf-8")
    own.write_text(yaml.safe_dump({**yaml.safe_load(before), "instructions": "Be rude."}), "utf-8")
    try:
        done = shawgpt("reply", "comments.csv", "-o", "none.csv", "--adapter", "nell-1", code=2)
    finally:
        own.write_text(before, "utf-8")
    assert "train it again" in done.stderr


def test_another_base_is_refused(folder, shawgpt, tuned, tiny_base):
    other = folder / "other"
    shutil.copytree(tiny_base, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-3}))
    done = shawgpt("reply", "comments.csv", "-o", "none.csv", "--adapter", "nell-1", "--model", other, code=2)
    assert "another base" in done.stderr


@pytest.mark.slow
def test_an_adapter_is_not_put_on_a_base_that_has_it_in_its_weights_already(folder, shawgpt, tuned):
    shawgpt("export", "nell-1", "--to", "merged", "-o", "merged")
    args = ("reply", "comments.csv", "-o", "twice.csv", "--model", "merged")
    assert "another base" in shawgpt(*args, "--adapter", "nell-1", code=2).stderr
    shawgpt(*args, "--persona", "nell", "--adapter", "")
    assert {row["adapter"] for row in rows(folder / "twice.csv")} == {""}
