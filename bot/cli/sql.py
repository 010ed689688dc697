"""Commands for questions about tables: answered for `ask`, and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.app import (
    AdapterName,
    BaseUrl,
    CallChanges,
    Json,
    ModelName,
    PersonaName,
    ResponderName,
    SamplingChanges,
    asked_for,
    eval_app,
    lines_of,
    open_assistant,
    print_json,
    tell_where,
)
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.assistant import Assistant


def ask_tables(
    assistant: "Assistant",
    question: str | None,
    questions: Path | None,
    database: Path | None,
    schema: Path | None,
    as_json: bool,
) -> None:
    """What `ask` does as a persona whose task is sql; exit code 1 where a query couldn't be written or run."""
    from bot.progress import waiting
    from bot.sql.ask import answer, open_tables
    from bot.sql.reader import Reader
    from bot.sql.show import show_answer
    from bot.sql.write import writer_of

    if not questions and not (question and question.strip()):
        raise BadInput('give a question, as in `shawgpt ask --persona sql --database shop.sqlite "How many orders?"`')
    with Reader() as reader:
        tables = open_tables(reader, database, schema)
        with waiting("Writing the query"):
            writer = writer_of(assistant.chat if assistant.writing.model else None)
        failed = False
        for line in lines_of(questions, question, "questions") if questions else [str(question).strip()]:
            with waiting("Writing the query"):
                given = answer(line, tables, writer, str(assistant.writing.written_by), reader)
            failed |= given.status == "failed"
            if as_json or questions:
                print_json(given.as_json(), indent=None if questions else 2)
            else:
                show_answer(given)
    if failed:
        raise typer.Exit(1)


@eval_app.command("sql", epilog="Example: `shawgpt eval sql dev.json --tables tables.json`")
def eval_sql(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Questions with queries: as Spider, WikiSQL or the recipe sql has them."),
    ],
    tables: Annotated[Path | None, typer.Option(metavar="FILE", help="Spider's tables.json.")] = None,
    database: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A SQLite file to run the queries on, instead of made-up rows.")
    ] = None,
    look: Annotated[
        bool, typer.Option("--look", help="Let the rules see what the columns of made-up databases hold.")
    ] = False,
    persona: PersonaName = "sql",
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The first N questions only.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Write queries.csv and eval.json there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How often the queries that are written give the right table (execution accuracy), and have the same parts as the
    right query (exact-set match): each with a 95 % interval, by hardness, and why others give none.
    """
    from bot.progress import StageProgress
    from bot.sql.evaluate import DATABASES, Evaluation, evaluate, write_evaluation
    from bot.sql.questions import read_questions
    from bot.sql.show import show_evaluation
    from bot.sql.write import writer_of

    asked, refused = read_questions(file, tables, database is not None)
    if not asked:
        raise BadInput(refused[0] if refused else f"{file} has no questions")
    with open_assistant(context, "eval sql") as assistant, StageProgress() as progress:
        assistant.use(persona, asked_for(responder, model, adapter, sampling, base_url, calls))
        tell_where(assistant)
        if assistant.persona.task != "sql":
            raise BadInput(f"the persona {persona} answers no questions about tables: leave --persona out")
        progress("loading", 0, 0)
        writer = writer_of(assistant.chat if assistant.writing.model else None)
        judged = evaluate(asked[:limit], writer, database, look, progress)
        made = Evaluation(
            file.name, str(assistant.writing.written_by), 1 if database else DATABASES, judged, tuple(refused), output
        )
    if output:
        write_evaluation(made, output)
    print_json(made.as_json()) if as_json else show_evaluation(made)
    if not made.counted:
        raise BadInput(
            f"none of the gold queries of {file} runs: is it the right {'database' if database else 'schema'}?"
        )
