"""The documents say what the code does."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_list_of_commands_is_that_of_the_commands():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from make_help import pages
    finally:
        sys.path.pop(0)
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == pages(), "run `python docs/make_help.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_test_file_named_in_the_promises_exists():
    named = re.findall(r"test_\w+\.py", (ROOT / "docs/reliability.md").read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


def test_map_in_the_readme_names_every_folder():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in ("data", "ingest", "rag", "finetune", "bot", "benchmarks", "tests", "docs"):
        assert f"`{folder}/`" in readme
