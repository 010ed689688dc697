"""The whole way with a small real model: trained on questions with queries, measured, asked. It proves the path."""

import json
import sqlite3
from pathlib import Path

import pytest
import yaml

from bot.cli import app
from data.errors import AdapterRefused

CONTEXT = "CREATE TABLE coffee (name TEXT, price REAL, stock INTEGER);"
THINGS = ("name", "price", "stock")
PAIRS = [
    *((f"List the {thing} of every coffee.", f"SELECT {thing} FROM coffee") for thing in THINGS),
    *((f"Show each {thing} of the coffees.", f"SELECT {thing} FROM coffee") for thing in THINGS),
    *((f"What is the highest {thing}?", f"SELECT MAX({thing}) FROM coffee") for thing in THINGS),
    *((f"What is the lowest {thing}?", f"SELECT MIN({thing}) FROM coffee") for thing in THINGS),
    ("How many coffees are there?", "SELECT COUNT(*) FROM coffee"),
    ("Count the coffees.", "SELECT COUNT(*) FROM coffee"),
]
RECIPE = {
    "name": "tiny-sql", "format": "sql", "held_out": 0.2, "quantisation": "none", "optimiser": "adamw_torch",
    "checkpointing": False, "lora": {"rank": 16, "alpha": 32}, "learning_rate": 5e-3, "schedule": "constant",
    "epochs": 12, "batch_size": 4, "max_tokens": 256, "seed": 1,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_model_is_trained_on_sql_measured_and_asked(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHAWGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rows = [{"context": CONTEXT, "question": question, "answer": answer} for question, answer in PAIRS]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**RECIPE, "base": str(tiny_base), "data": "pairs.jsonl"}))
    database = sqlite3.connect(tmp_path / "shop.sqlite")
    database.executescript(CONTEXT + "INSERT INTO coffee VALUES ('Chaff', 13.0, 8), ('Long Pour', 16.0, 30);")
    database.close()

    def run(*args: str) -> int:
        return int(app(list(args), standalone_mode=False) or 0)

    assert run("train", "tiny.yaml") == 0
    capsys.readouterr()
    small = ("--sampling", "max_tokens=40")
    assert run("eval", "sql", "pairs.jsonl", "--adapter", "tiny-sql", *small, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["responder"] == "local (tiny-sql)"
    assert told["execution_accuracy"]["of"] == len(PAIRS)
    assert all(row["sql"] or row["problem"] == "failed" for row in told["rows"])  # each was asked; most is gibberish
    asked = ("ask", "--persona", "sql", "--database", "shop.sqlite", "--adapter", "tiny-sql", *small, "--json")
    code = run(*asked, "How many coffees are there?")
    given = json.loads(capsys.readouterr().out)
    assert given["responder"] == "local (tiny-sql)"
    assert (code, given["status"]) in ((0, "answered"), (1, "failed"))
    code = run("ask", "--persona", "sql", "--database", "shop.sqlite", "--model", str(tiny_base), *small, "How many?")
    assert code == 1  # untrained it writes no query, and that is told
    with pytest.raises(AdapterRefused, match="has learned sql, and no replies"):
        run("ask", "--persona", "shawgpt", "--adapter", "tiny-sql", "How many?")
