"""`shawgpt train` and `shawgpt adapters` from outside: what is shown, what is left behind, how a stop is overcome."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bot.adapters import choose, list_adapters, train_adapter
from data.errors import WorkFolderError

SHAWGPT = [sys.executable, "-c", "from bot.cli import main; main()"]
SAMPLE = Path(__file__).parents[1] / "data" / "sample"
PAIRS = SAMPLE / "past_replies.csv"
RECIPE = {
    "name": "tiny", "format": "completion", "held_out": 0.2,
    "quantisation": "none", "optimiser": "adamw_torch", "checkpointing": False,
    "lora": {"rank": 8, "alpha": 16}, "learning_rate": 5e-3, "epochs": 3, "batch_size": 4, "max_tokens": 128,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A Mistral with v1's tokenizer and random weights: training has something to move, and nothing to be good at."""
    import shutil

    import mistral_common
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=32_000, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1024, sliding_window=None, tie_word_embeddings=True,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(folder)
    tokenizer = Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"
    shutil.copy(tokenizer, folder / "tokenizer.model")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SHAWGPT_HOME": str(tmp_path / "home"),
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture
def shawgpt(tmp_path, environment):
    def run(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [*SHAWGPT, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def recipe(tmp_path, base) -> Path:
    """A recipe of fifteen short steps, with its data beside it."""
    path = tmp_path / "tiny.yaml"
    lines = PAIRS.read_text(encoding="utf-8").splitlines()[1:26]
    (tmp_path / "pairs.csv").write_text("\n".join(["prompt,completion", *lines]), encoding="utf-8")
    path.write_text(yaml.safe_dump({**RECIPE, "base": str(base), "data": "pairs.csv"}))
    return path


def test_dry_run_shows_what_is_seen_learned_refused_and_needed_and_leaves_nothing(shawgpt, tmp_path):
    (tmp_path / "pairs.csv").write_bytes(PAIRS.read_bytes() + b"a comment,\n")
    shown = shawgpt("train", "shawgpt-mistral-7b", "--data", "pairs.csv", "--dry-run").stdout
    assert "[ INST ]" in shown
    assert "«▁Ah" in shown
    assert "</s>»" in shown
    assert "it has no reply" in shown
    assert "41,943,040 weights" in shown
    for word in ("median", "held out", "steps", "in NF4", "H200"):
        assert word in shown
    assert not (tmp_path / "home").exists()


def test_dry_run_says_where_its_tokenizer_is_not_the_bases_own(shawgpt, tmp_path):
    rows = "".join(json.dumps({"quote": f"Be brief, {n}.", "author": f"Author {n}"}) + "\n" for n in range(20))
    (tmp_path / "quotes.jsonl").write_text(rows)
    asked = ("train", "quotes", "--data", "quotes.jsonl", "--dry-run")
    assert "note: the tokenizer of openai-community/gpt2-medium is not here" in shawgpt(*asked).stdout
    told = json.loads(shawgpt(*asked, "--json").stdout)
    assert told["note"]
    assert (told["trained_on"], told["held_out"]) == (18, 2)
    assert told["shown"][0]["tokens"][0] == ["▁Qu", False]


def test_dry_run_of_what_would_stop_says_so_and_ends_with_1(shawgpt, tmp_path):
    (tmp_path / "few.csv").write_text("Comment,Response\na,b\nc,d\n")
    asked = ("train", "shawgpt-mistral-7b", "--data", "few.csv", "--dry-run")
    assert "Training would stop before its first step" in shawgpt(*asked, code=1).stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["train", "nothing"], "no recipe 'nothing': give a YAML file, or one of the shipped: chat, quotes"),
        (["train", "sql"], "sql names no data: give the file of examples with --data"),
        (["train", "sql", "--data", "none.csv"], "there is no file none.csv"),
        (["train", "tiny.yaml", "--name", "A/B"], "name: use lower-case letters"),
        (["train", "tiny.yaml", "--base", "nowhere", "--dry-run", "--data", "none"], "there is no file none"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_made(shawgpt, tmp_path, recipe, args, said):
    told = shawgpt(*args, code=2).stderr
    assert told.startswith("shawgpt: ")
    assert said in told
    assert told.count("\n") == 1
    assert list((tmp_path / "home").glob("adapters/*")) == [] or not (tmp_path / "home" / "adapters" / "tiny").exists()


def test_base_that_is_not_here_is_told_with_what_to_do(shawgpt, recipe):
    told = shawgpt("train", recipe, "--base", "nobody/nothing", code=2).stderr
    assert "nobody/nothing" in told
    assert "hf download" in told


def test_too_few_examples_stop_before_the_model_is_loaded(shawgpt, tmp_path, recipe):
    (tmp_path / "few.csv").write_text("prompt,completion\na,b\nc,d\n")
    assert "the fewest" in shawgpt("train", recipe, "--data", "few.csv", code=2).stderr


def test_training_leaves_an_adapter_with_its_card_and_picture_and_never_overwrites_one(shawgpt, tmp_path, recipe):
    done = json.loads(shawgpt("train", recipe, "--json").stdout)
    folder = tmp_path / "home" / "adapters" / "tiny"
    assert done["folder"] == str(folder)
    assert done["refused"] == []
    assert done["card"]["held_out_after"] < done["card"]["held_out_before"]
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "adapter_model.safetensors").is_file()
    assert "exists already" in shawgpt("train", recipe, code=2).stderr
    assert "ready" in shawgpt("adapters").stdout
    (listed,) = json.loads(shawgpt("adapters", "--json").stdout)
    assert (listed["name"], listed["trouble"], listed["card"]["rows"]) == ("tiny", "", 20)


def test_training_stopped_by_ctrl_c_goes_on_and_ends_with_the_very_same_weights(tmp_path, recipe):
    steps: list[int] = []

    def follow(point, total):
        if point.loss is not None:
            steps.append(point.step)

    def follow_and_stop(point, total):
        follow(point, total)
        if point.step == 7 and point.loss is not None:  # amid an epoch of five
            signal.raise_signal(signal.SIGINT)

    train_adapter(choose(str(recipe), None, None, "whole"), tmp_path, follow, str)
    assert steps == list(range(1, 16))
    steps.clear()
    with pytest.raises(KeyboardInterrupt):
        train_adapter(choose(str(recipe), None, None, "again"), tmp_path, follow_and_stop, str)
    assert steps == list(range(1, 9))  # the step after the signal is the last
    assert [(each.name, each.trouble.split(":")[0]) for each in list_adapters(tmp_path)] == [
        ("again", "unfinished"), ("whole", ""),
    ]  # fmt: skip
    train_adapter(choose(str(recipe), None, None, "again"), tmp_path, follow, str)
    assert steps == list(range(1, 16))
    weights = [(tmp_path / "adapters" / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "again")]
    assert weights[0] == weights[1]


def test_name_that_is_being_trained_is_refused(tmp_path, recipe):
    chosen = choose(str(recipe), None, None, None)
    refused: list[str] = []

    def try_again(point, total):
        if point.step == 1 and not refused:
            with pytest.raises(WorkFolderError) as raised:
                train_adapter(chosen, tmp_path, lambda point, total: None, str)
            refused.append(str(raised.value))

    train_adapter(chosen, tmp_path, try_again, str)
    assert "another process" in refused[0]


def test_no_adapters_yet_says_how_to_make_one(shawgpt):
    assert "shawgpt train RECIPE" in shawgpt("adapters").stdout
    assert json.loads(shawgpt("adapters", "--json").stdout) == []


def test_training_into_a_log_says_how_it_goes_at_each_measure(shawgpt, recipe):
    told = [line for line in shawgpt("train", recipe).stderr.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in told] == [f"step {step} of 15" for step in (0, 5, 10, 15)]
    assert all("held out" in line for line in told)
    assert all("loss" in line for line in told[1:])
    shown = shawgpt("adapters").stdout
    assert "20 examples, step " in shown
    assert " of 15" in shown


def test_training_with_nothing_held_out_says_so_and_logs_each_epoch(shawgpt, tmp_path, recipe):
    recipe.write_text(recipe.read_text().replace("held_out: 0.2", "held_out: 0").replace("epochs: 3", "epochs: 2"))
    assert "nothing is held out" in shawgpt("train", recipe, "--dry-run").stdout
    done = shawgpt("train", recipe)
    assert "nothing is held out" in done.stdout
    told = [line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("step ")]
    assert told == ["step 7 of 14", "step 14 of 14"]


def test_refused_rows_stand_together_by_reason_in_the_order_of_the_file(shawgpt, tmp_path):
    rows = PAIRS.read_bytes() + b"a comment,\n" + b'long,"' + b"word " * 2000 + b'"\n' + b"b,\n" * 4
    (tmp_path / "pairs.csv").write_bytes(rows + PAIRS.read_bytes().split(b"\n", 1)[1])
    asked = ("train", "shawgpt-mistral-7b", "--data", "pairs.csv", "--dry-run")
    lines = shawgpt(*asked, "--processes", "2").stdout.splitlines()
    start = lines.index("refused     66")
    assert lines[start + 1] == "  refused, row 62, row 64, row 65 and 2 more: it has no reply"
    assert lines[start + 2].startswith("  refused, row 63: ")
    assert lines[start + 3].startswith(
        "  refused, row 68, row 69, row 70 and 57 more: it repeats another word for word"
    )
    assert lines[start + 4].startswith("steps")
    assert any("in each of the 2 processes" in line for line in lines)


def test_export_without_a_form_names_the_three(shawgpt):
    told = shawgpt("export", "mine", code=2).stderr
    assert all(form in told for form in ("merged (", "lora (", "gguf-lora ("))


def test_a_second_ctrl_c_while_it_ends_changes_no_exit_code(environment):
    script = """
import os, signal
import bot.cli

def stopped(**_):
    raise KeyboardInterrupt

def say_amid_ctrl_c(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    say(*args, **options)
    os.kill(os.getpid(), signal.SIGINT)

bot.cli.app, say, bot.cli.typer.echo = stopped, bot.cli.typer.echo, say_amid_ctrl_c
bot.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 130
    assert done.stderr.startswith("shawgpt: stopped; ")
    assert done.stderr.count("\n") == 1
