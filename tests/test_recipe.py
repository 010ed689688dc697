"""Recipes: every shipped one is right, and a wrong one fails in one line before anything heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from data.errors import BadInput, NotFound
from finetune.recipe import Lora, Recipe, load_recipe, shipped_recipes

RIGHT = {
    "name": "mine", "base": "models/base", "format": "replies", "learning_rate": 2e-4, "epochs": 3, "batch_size": 4,
    "max_tokens": 512, "lora": {"rank": 8, "alpha": 16},
}  # fmt: skip


def written(folder: Path, **changes: object) -> str:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RIGHT, **changes}), encoding="utf-8")
    return str(path)


def test_five_recipes_are_shipped():
    assert shipped_recipes() == ["chat", "quotes", "shawgpt-mistral-7b", "shawgpt-original", "sql"]


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipe_is_right_and_its_base_is_pinned(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.revision or "") == 40
    assert recipe.architecture
    assert 0 < recipe.held_out <= 0.15


def test_original_keeps_the_originals_settings():
    recipe = load_recipe("shawgpt-original")
    assert recipe.lora is not None
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.targets) == (8, 32, ("q_proj",))
    assert (recipe.learning_rate, recipe.batch_size, recipe.accumulation, recipe.epochs) == (2e-4, 4, 4, 10)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rat": 1}, "learning_rat: no such field; the fields are name, base, revision"),
        ({"lora": {"rank": 8, "alpha": 8, "r": 8}}, "lora.r: no such field; the fields are rank, alpha"),
        ({"learning_rate": 2}, "learning_rate: must be at most 0.1"),
        ({"learning_rate": float("nan")}, "learning_rate: must be a number, not 'nan'"),
        ({"epochs": 0}, "epochs: must be above 0"),
        ({"batch_size": "four"}, "batch_size: must be a whole number, not 'four'"),
        ({"lora": 8}, "lora: must have fields of its own below it: rank, alpha"),
        ({"lora": {"rank": 8}}, "lora.alpha: is missing"),
        ({"lora": {"rank": 8, "alpha": 8, "targets": "q"}}, "lora.targets: must be 'all-linear' or must be a list"),
        ({"held_out": 0.6}, "held_out: "),
        ({"name": "../evil"}, "name: use lower-case letters"),
        ({"name": "Mine"}, "name: use lower-case letters"),
        ({"format": "csv"}, "format: must be 'replies', 'review', 'messages', 'completion', 'sql' or 'quotes'"),
        ({"architecture": "gpt5"}, "architecture: there is none of that name; there are: gpt2-medium, mistral-7b"),
        ({"lora": None}, "lora is missing: without it every weight is trained, which needs quantisation: none"),
        ({"early": 2, "held_out": 0}, "early stops by the held-out loss"),
        ({"lora": {"rank": 8, "alpha": 8, "targets": []}}, "name at least one module"),
        ({"batch_size": "many", "epochs": -1}, "(and 1 more)"),
    ],
)
def test_wrong_recipe_is_told_in_one_line(tmp_path, changes, said):
    with pytest.raises(BadInput) as raised:
        load_recipe(written(tmp_path, **changes))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_misspelt_field_is_named_before_the_one_that_is_missing_for_it(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({("epoch" if k == "epochs" else k): v for k, v in RIGHT.items()}))
    with pytest.raises(BadInput, match=r"epoch: no such field; the fields are .* \(and 1 more\)"):
        load_recipe(str(path))


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "just words"])
def test_file_that_is_no_recipe_is_told(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"r\.yaml"):
        load_recipe(str(tmp_path / "r.yaml"))


def test_unknown_name_lists_the_shipped():
    with pytest.raises(NotFound, match=r"shawgpt-mistral-7b, shawgpt-original, sql"):
        load_recipe("shawgpt")


def test_rate_may_be_written_as_yaml_takes_for_text(tmp_path):
    """PyYAML reads 2e-4, without a dot, as a string."""
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in RIGHT.items() if k != "learning_rate"}) + "learning_rate: 2e-4\n")
    assert load_recipe(str(path)).learning_rate == 2e-4


def test_data_is_found_beside_the_recipe_and_otherwise_left_to_the_current_folder(tmp_path):
    (tmp_path / "pairs.csv").write_text("Comment,Response\n")
    assert load_recipe(written(tmp_path, data="pairs.csv")).data == str(tmp_path / "pairs.csv")
    assert load_recipe(written(tmp_path, data="other.csv")).data == "other.csv"


def test_hash_follows_what_decides_the_result_and_nothing_else(tmp_path):
    recipe = Recipe.model_validate(RIGHT)
    assert recipe.sha256() == load_recipe(written(tmp_path)).sha256() == recipe.replaced(data="elsewhere.csv").sha256()
    assert recipe.sha256() != recipe.replaced(seed=7).sha256()
    with pytest.raises(BadInput):
        recipe.replaced(seed=-1)


def test_reading_recipes_examples_and_estimates_loads_no_torch():
    code = "import sys, finetune.dry_run; sys.exit(bool({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_field_is_explained_in_the_documentation():
    text = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    fields = [*Recipe.model_fields, *Lora.model_fields]
    assert [field for field in fields if f"`{field}`" not in text] == []
    assert [name for name in shipped_recipes() if f"`{name}`" not in text] == []
