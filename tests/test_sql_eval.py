# ruff: noqa: E501 (queries read better whole)
"""What `shawgpt eval sql` measures: right by its tables, right by its parts, on databases whose rows are made up."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest

from bot.sql.compare import hardness, same_parts, same_table
from bot.sql.evaluate import Evaluation, evaluate, write_evaluation
from bot.sql.made_up import make
from bot.sql.questions import Asked, read_questions
from bot.sql.reader import Reader, Result
from bot.sql.reading import read
from bot.sql.schema import Schema, from_script
from bot.sql.write import Query, Values
from data.errors import BadInput

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "sql"
SHOP = from_script((SAMPLE / "shop.sql").read_text(encoding="utf-8"))
GOLDS = [row["answer"] for row in csv.DictReader((SAMPLE / "questions.csv").open(encoding="utf-8"))] + [
    "SELECT name FROM coffee WHERE stock < 10 INTERSECT SELECT name FROM coffee WHERE price > 10",
    "SELECT name FROM customer EXCEPT SELECT T1.name FROM customer AS T1 JOIN orders AS T2 ON T1.customer_id = T2.customer_id",
    'SELECT name FROM coffee WHERE name LIKE "%Hour%" OR price BETWEEN 9 AND 12',
]


class Says:
    """A writer that answers as it was told."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def write(self, question: str, schema: Schema, values: Values | None = None) -> Query:
        sql = self.answers.get(question, "")
        return Query(sql, "written") if sql else Query("", "abstained", "it isn't sure")


def asked(golds: list[str], schema: Schema = SHOP) -> list[Asked]:
    return [Asked(f"question {number}", gold, schema, "shop", f"line {number}") for number, gold in enumerate(golds, 1)]


def test_gold_against_itself_is_right_in_every_way_and_finds_something() -> None:
    questions = asked(GOLDS)
    judged = evaluate(questions, Says({each.question: each.gold for each in questions}))
    assert [each.asked.gold for each in judged if not (each.runs and each.right and each.exact)] == []
    assert [each.asked.gold for each in judged if not each.finds] == []


@pytest.mark.parametrize(
    ("gold", "other", "right", "exact"),
    [
        ("SELECT name, price FROM coffee", "SELECT price, name FROM coffee", True, True),
        ("SELECT name FROM coffee", "SELECT origin FROM coffee", False, False),
        ("SELECT COUNT(*) FROM coffee", "SELECT COUNT(coffee_id) FROM coffee", True, False),
        ("SELECT name FROM coffee WHERE price > 12", "SELECT name FROM coffee WHERE price >= 12", False, False),
        ("SELECT name FROM coffee WHERE price > 12", "SELECT name FROM coffee WHERE price > 13", False, True),
        ("SELECT name FROM coffee ORDER BY price", "SELECT name FROM coffee ORDER BY price DESC", False, False),
        ("SELECT name FROM coffee", "SELECT name FROM coffee ORDER BY price DESC", True, False),
        ("SELECT name FROM coffee ORDER BY price LIMIT 1", "SELECT name FROM coffee LIMIT 1", False, False),
        ("SELECT origin FROM coffee", "SELECT DISTINCT origin FROM coffee", False, True),
        ("SELECT name FROM coffee WHERE stock > 9 AND price > 12", "SELECT name FROM coffee WHERE price > 12 AND stock > 9", True, True),
        ("SELECT name FROM coffee WHERE stock > 9 AND price > 12", "SELECT name FROM coffee WHERE price > 12 OR stock > 9", False, False),
        ("SELECT T1.name FROM customer AS T1 JOIN orders AS T2 ON T1.customer_id = T2.customer_id",
         "SELECT a.name FROM orders AS b JOIN customer AS a ON b.customer_id = a.customer_id", True, True),
        ("SELECT customer_id FROM customer", "SELECT customer_id FROM orders", False, False),
        ("SELECT country, COUNT(*) FROM customer GROUP BY country", "SELECT COUNT(*), country FROM customer GROUP BY country", True, True),
        ("SELECT name FROM customer WHERE customer_id NOT IN (SELECT customer_id FROM orders)",
         "SELECT name FROM customer WHERE customer_id IN (SELECT customer_id FROM orders)", False, False),
        ("SELECT AVG(price) FROM coffee", "SELECT SUM(price) * 1.0 / COUNT(*) FROM coffee", True, False),
    ],
)  # fmt: skip
def test_right_and_exact_are_told_apart(gold: str, other: str, right: bool, exact: bool) -> None:
    (judged,) = evaluate(asked([gold]), Says({"question 1": other}))
    assert (judged.right, judged.exact) == (right, exact)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", "abstained"),
        ("SELECT nome FROM coffee", "unknown"),
        ("SELECT name FROM", "not parsed"),
        ("DROP TABLE coffee", "refused"),
        ("SELECT hex(printf('%9000000d', 1)) FROM coffee", "too large"),
    ],
)
def test_why_there_is_no_table_is_counted(sql: str, problem: str) -> None:
    judged = evaluate(asked(["SELECT name FROM coffee"]), Says({"question 1": sql}))
    assert judged[0].problem == problem
    assert judged[0].reason
    assert Evaluation("x", "x", 4, judged, ()).problems == {problem: 1}


def test_a_gold_query_that_does_not_run_is_named_and_in_no_figure() -> None:
    judged = evaluate(
        asked(["SELECT nothing FROM coffee", "SELECT name FROM coffee"]),
        Says({"question 2": "SELECT name FROM coffee"}),
    )
    told = Evaluation("x", "x", 4, judged, ()).as_json()
    assert told["execution_accuracy"] == {"value": 1.0, "low": pytest.approx(0, abs=1), "high": 1.0, "of": 1}
    assert [each["origin"] for each in told["gold_that_does_not_run"]] == ["line 1"]


def test_made_up_databases_are_the_same_each_time_differ_from_each_other_and_keep_foreign_keys(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, second = make(tmp_path / "one", SHOP, GOLDS, 3), make(tmp_path / "two", SHOP, GOLDS, 3)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len({path.read_bytes() for path in first}) == 3
    for path in first:
        database = sqlite3.connect(path)
        lost = database.execute(
            "SELECT count(*) FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM customer)"
        )
        assert lost.fetchone() == (0,)
        assert database.execute("SELECT count(*), count(DISTINCT order_id) FROM orders").fetchone()[0] > 10
        database.close()


def test_tables_are_compared_by_their_rows() -> None:
    one = Result(("a", "b"), ((1, "x"), (2, "y")))
    assert same_table(one, Result(("q", "r"), (("y", 2.0), ("x", "1"))), ordered=False)
    assert not same_table(one, Result(("a", "b"), ((2, "y"), (1, "x"))), ordered=True)
    assert not same_table(one, Result(("a", "b"), ((1, "x"), (1, "x"))), ordered=False)
    assert not same_table(one, Result(("a",), ((1,), (2,))), ordered=False)
    assert same_table(Result(("a",), ((1 / 3,),)), Result(("a",), ((0.33333333,),)), ordered=True)
    assert not same_table(Result(("a",), ((0.33,),)), Result(("a",), ((0.34,),)), ordered=True)
    assert not same_table(Result(("a",), ((None,),)), Result(("a",), ((0,),)), ordered=True)


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT name FROM coffee", "easy"),
        ("SELECT name, price FROM coffee WHERE stock > 1", "medium"),
        ("SELECT name FROM coffee ORDER BY price LIMIT 1", "medium"),
        ("SELECT name FROM coffee WHERE price > (SELECT AVG(price) FROM coffee)", "hard"),
        ("SELECT T1.name FROM customer AS T1 JOIN orders AS T2 ON T1.customer_id = T2.customer_id GROUP BY T1.name "
         "ORDER BY COUNT(*) DESC LIMIT 1", "extra"),
    ],
)  # fmt: skip
def test_hardness_follows_spiders_criteria(sql: str, level: str) -> None:
    assert hardness(read(sql, SHOP)) == level


def test_double_quotes_are_text_where_they_name_no_column() -> None:
    assert same_parts(
        'SELECT name FROM coffee WHERE origin = "Kenya"', "SELECT name FROM coffee WHERE origin = 'Peru'", SHOP
    )
    assert not same_parts(
        'SELECT name FROM coffee WHERE origin = "process"', "SELECT name FROM coffee WHERE origin = 'x'", SHOP
    )


WIKISQL = [
    {"sql": "SELECT COUNT TABLEalias0.FLEET_SERIES_(QUANTITY)_FIELD FROM TABLE AS TABLEalias0 WHERE NO._FIELD = var0 ;",
     "question": "how many fleet series have number var0 ?", "variables": {"var0": "12"}},
    {"sql": 'SELECT TABLEalias0.STATE/TERRITORY_FIELD FROM TABLE AS TABLEalias0 WHERE NO._FIELD > var1 AND TABLEalias0.NAME_FIELD = "var0" ;',
     "question": "the state of O'Brien & sons", "variables": {"var0": "O'Brien & Sons", "var1": "3"}},
    {"sql": "SELECT MAX TABLEalias0.CROWD_FIELD FROM TABLE AS TABLEalias0 ;", "question": "the most ?", "variables": {}},
    {"sql": "DELETE FROM TABLE ;", "question": "no", "variables": {}},
]  # fmt: skip


def test_wikisql_is_read_as_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "wikisql.jsonl"
    file.write_text("\n".join(map(json.dumps, WIKISQL)), encoding="utf-8")
    questions, refused = read_questions(file)
    assert [each.gold for each in questions] == [
        'SELECT COUNT(fleet_series_quantity) FROM records WHERE "no" = 12',
        "SELECT state_territory FROM records WHERE \"no\" > 3 AND name = 'O''Brien & Sons'",
        "SELECT MAX(crowd) FROM records",
    ]
    assert questions[0].question == "how many fleet series have number 12 ?"
    assert questions[0].schema == questions[1].schema  # they share a column, and so a table
    assert len(refused) == 1
    assert refused[0].startswith("line 4")
    judged = evaluate(
        questions, Says({questions[1].question: questions[1].gold.replace("O''Brien & Sons", "o''brien & SONS")})
    )
    assert judged[1].right


def test_spider_needs_its_tables_and_what_is_missing_in_them_is_told(tmp_path: Path) -> None:
    row = {"db_id": "shop", "question": "How many?", "query": "SELECT count(*) FROM t"}
    (tmp_path / "dev.json").write_text(json.dumps([row, {**row, "db_id": "other"}]))
    entry = {
        "db_id": "shop", "table_names": ["t"], "table_names_original": ["t"], "column_names": [[-1, "*"], [0, "a"]],
        "column_names_original": [[-1, "*"], [0, "a"]], "column_types": ["text", "text"], "primary_keys": [],
        "foreign_keys": [],
    }  # fmt: skip
    (tmp_path / "tables.json").write_text(json.dumps([entry]))
    with pytest.raises(BadInput, match="--tables"):
        read_questions(tmp_path / "dev.json")
    questions, refused = read_questions(tmp_path / "dev.json", tmp_path / "tables.json")
    assert (len(questions), len(refused)) == (1, 1)
    assert "other" in refused[0]
    (tmp_path / "broken.json").write_text('[{"db_id": 1}]')
    with pytest.raises(BadInput):
        read_questions(tmp_path / "dev.json", tmp_path / "broken.json")


@pytest.mark.parametrize("text", ["", "{}", "a,b\n1,2\n", '{"question": 1', "[1, 2"])
def test_a_file_that_holds_no_questions_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(BadInput):
        read_questions(tmp_path / "file.json")


def test_the_recipes_own_rows_can_be_measured_and_the_result_is_written(tmp_path: Path) -> None:
    context = "CREATE TABLE coffee (name TEXT, price REAL)"
    rows = [
        {"context": context, "question": "=names?", "answer": "SELECT name FROM coffee"},
        {"context": "nothing", "question": "x", "answer": "SELECT 1"},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    questions, refused = read_questions(tmp_path / "rows.jsonl")
    assert len(refused) == 1
    judged = evaluate(questions, Says({"=names?": "SELECT name FROM coffee"}))
    made = Evaluation("rows.jsonl", "x", 4, judged, tuple(refused))
    write_evaluation(made, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "eval.json").read_text())["exact_set_match"]["value"] == 1
    assert "'=names?" in (tmp_path / "out" / "queries.csv").read_text()


def test_questions_can_be_run_on_a_database_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    database = sqlite3.connect(path)
    database.executescript((SAMPLE / "shop.sql").read_text(encoding="utf-8"))
    database.close()
    questions, _ = read_questions(SAMPLE / "questions.csv", database=True)
    judged = evaluate(questions, Says({each.question: each.gold for each in questions}), path)
    assert all(each.right and each.exact for each in judged)
    with Reader() as reader:
        assert reader.run(path, "SELECT count(*) FROM coffee").rows == ((6,),)
    with pytest.raises(BadInput, match="no file"):
        evaluate(questions, Says({}), tmp_path / "none.sqlite")
