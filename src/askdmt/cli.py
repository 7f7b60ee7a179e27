"""The command line: `askdmt serve | ask | chat | batch | index | why | knowledge | ingest | transcripts | eval`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from askdmt.errors import AskDMTError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from askdmt.assistant import Assistant
    from askdmt.evaluation.output_guard import GuardResult
    from askdmt.evaluation.runner import Result
    from askdmt.transcripts.store import Transcripts

app = typer.Typer(
    help="Patient information on DMT-assisted therapy for depression: cited answers behind guardrails.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
knowledge_app = typer.Typer(help="The reviewed knowledge.", no_args_is_help=True)
app.add_typer(knowledge_app, name="knowledge")
transcripts_app = typer.Typer(help="Redacted questions and replies, where the clinic keeps them.", no_args_is_help=True)
app.add_typer(transcripts_app, name="transcripts")

Region = Annotated[str | None, typer.Option(help="Region of the help lines, for example gb, us, international.")]
KnowledgeFolder = Annotated[Path | None, typer.Option("--knowledge", help="Folder of sections to answer from.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit code 1."""
    # Before numpy is imported: its products are small, and threads that wait for the next take the encoder's cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to fail
    try:
        app(standalone_mode=True)
    except AskDMTError as error:
        _fail(str(error))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; '-' reads it from standard input.")],
    region: Region = None,
    knowledge: KnowledgeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question."""
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace") if question == "-" else question
    reply = _assistant(knowledge=knowledge, region=region).reply(text)
    typer.echo(_json(reply.as_dict()) if as_json else reply.text)


@app.command()
def why(
    question: Annotated[str, typer.Argument(help="The question.")],
    region: Region = None,
    knowledge: KnowledgeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show how a message was read, judged and answered."""
    reply = _assistant(knowledge=knowledge, region=region).reply(question, trace=True)
    if as_json:
        typer.echo(_json(reply.as_dict()))
        return
    from askdmt.trace import print_trace

    print_trace(reply)


@app.command()
def chat(region: Region = None, knowledge: KnowledgeFolder = None) -> None:
    """Talk in the terminal; an empty line or Ctrl-D ends it."""
    from askdmt.wording import load_wording

    assistant = _assistant(knowledge=knowledge, region=region)
    words = load_wording(assistant.settings.language).page
    typer.echo(f"{words.title}. {words.notice}\n")
    messages: list[dict[str, str]] = []
    while text := _prompt(f"{words.you}: "):
        messages.append({"role": "user", "content": text})
        typer.echo(f"\n{words.assistant}: ", nl=False)
        for piece in assistant.stream(messages):
            if isinstance(piece, str):
                typer.echo(piece, nl=False)
            else:
                messages.append({"role": "assistant", "content": piece.text})
        typer.echo("\n")


@app.command()
def batch(
    source: Annotated[Path, typer.Argument(metavar="IN.jsonl", help='Lines of {"id","text"} or {"id","messages"}.')],
    target: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="One reply a line, in the same order.")],
    region: Region = None,
    knowledge: KnowledgeFolder = None,
    trace: Annotated[bool, typer.Option(help="Add to each reply why it was decided so.")] = False,
) -> None:
    """Answer a file of questions; a line that cannot be read is named and the others are answered."""
    from askdmt.batch import run_batch

    problems = run_batch(lambda: _assistant(knowledge=knowledge, region=region), source, target, trace=trace)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)


@app.command()
def index(
    knowledge: KnowledgeFolder = None,
    rebuild: Annotated[bool, typer.Option(help="Build it again even if it is current.")] = False,
) -> None:
    """Build the search index if it is not current."""
    assistant = _assistant(knowledge=knowledge, rebuild=rebuild)
    content = assistant.knowledge
    typer.echo(f"The index is current: {len(content.sections)} sections, {len(content.passages)} passages.")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    region: Region = None,
    knowledge: KnowledgeFolder = None,
) -> None:
    """Serve the chat page and the API; it answers once the models are loaded."""
    from askdmt.settings import load_settings
    from askdmt.web.server import check_port, run
    from askdmt.web.warming import AssistantSource

    settings = load_settings(host=host, port=port, region=region, knowledge=knowledge)
    check_port(settings.host, settings.port)
    run(AssistantSource(lambda: _load(settings)), settings)


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="An article: .txt, .md, .html, .pdf or .docx.")],
    out: Annotated[Path, typer.Option(help="New folder for the draft sections.")] = Path("knowledge-draft"),
    title: Annotated[str | None, typer.Option(help="Title of the article, where the file does not say.")] = None,
) -> None:
    """Turn an article into draft sections, marked as not yet reviewed."""
    from askdmt.knowledge.ingest import ingest as run_ingest

    for path in run_ingest(file, out, title=title):
        typer.echo(path)
    typer.echo(f'Nobody has reviewed these drafts. Try them: askdmt ask --knowledge {out} "…"')


@knowledge_app.command("check")
def knowledge_check(
    folder: Annotated[Path | None, typer.Argument(help="Folder to check; the shipped one if not given.")] = None,
    reach: Annotated[bool, typer.Option(help="Also prove that each section can be found by its questions.")] = True,
    as_json: AsJson = False,
) -> None:
    """Prove what can be proved of the knowledge; exit code 1 if anything is wrong."""
    from askdmt.encoder import Encoder
    from askdmt.knowledge.check import check
    from askdmt.resources import content_folder

    report = check(folder or content_folder("knowledge"), today=date.today(), encoder=Encoder() if reach else None)
    if as_json:
        typer.echo(_json({**asdict(report), "ok": report.ok}))
    else:
        from askdmt.knowledge.check_report import show

        show(report)
    if not report.ok:
        raise typer.Exit(1)


@transcripts_app.command("list")
def transcripts_list(
    decision: Annotated[str | None, typer.Option(help="Only those with this decision.")] = None,
    unhelpful: Annotated[bool, typer.Option(help="Only those that did not help.")] = False,
    page: Annotated[Path | None, typer.Option(help="Write an HTML page for reviewers here instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the transcripts that are kept, oldest first."""
    from askdmt.transcripts.page import as_html

    kept = _transcripts().read(decision=decision, unhelpful=unhelpful)
    if page:
        _write_private(page, as_html(kept))
    elif as_json:
        typer.echo(_json([{**asdict(one), "day": one.day.isoformat()} for one in kept]))
    else:
        for one in kept:
            typer.echo(f"{one.day} {one.channel} {one.decision} {one.reply_id}\n  {one.question!r}")


@transcripts_app.command("purge")
def transcripts_purge(
    reply: Annotated[str | None, typer.Option(help="Delete the one of this reply's id instead.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all of them instead.")] = False,
) -> None:
    """Delete what is older than the retention, for good; the server does so by itself every hour."""
    kept = _transcripts()
    deleted = kept.forget(reply) if reply or everything else kept.purge(date.today())
    typer.echo(f"{deleted} transcripts deleted.")


def _transcripts() -> Transcripts:
    from askdmt.settings import load_settings
    from askdmt.transcripts.store import Transcripts

    kept = Transcripts.of(load_settings())
    if kept is None:
        raise InputError("No transcripts are kept.", "The setting 'transcripts_url' would turn them on.")
    return kept


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}.", "Name another file with --page.") from error


@app.command("eval")
def evaluate(
    datasets: Annotated[
        list[Path] | None, typer.Argument(help="JSONL with 'text' or 'turns', 'label' or 'accept', and 'facts'.")
    ] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite of evals/suites.yaml; may be repeated.")] = None,
    target: Annotated[str | None, typer.Option(help="Measure an OpenAI-compatible address instead.")] = None,
    model: Annotated[str, typer.Option(help="The model to ask for at that address.")] = "askdmt",
    out: Annotated[Path | None, typer.Option(help="Folder for run.json, junit.xml and report.html.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier run.json to show the difference to.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier run.json; worse by an interval is exit 1.")] = None,
    floors: Annotated[
        Path | None, typer.Option(help="JSON with floors by dataset and figure; below is exit 1.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many items of each file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure decisions, required facts and disclaimers on labelled files."""
    from askdmt.evaluation import gate
    from askdmt.evaluation.datasets import load_items, load_suites
    from askdmt.evaluation.output_guard import is_of_the_output_guard, print_guard_result
    from askdmt.evaluation.runner import as_run, print_result, run, run_target
    from askdmt.evaluation.target import Target

    files = [*(datasets or ()), *(load_suites(suite) if suite else ())]
    banks = [file for file in files if is_of_the_output_guard(file)]
    files = [file for file in files if file not in banks]
    if not files and (target or not banks):
        raise InputError("There is nothing to evaluate.", "Name a JSONL file, or a suite with --suite.")
    if target:
        asked = Target(target, model)
        results = [run_target(asked, file, limit) for file in files]
    else:
        for file in files:
            load_items(file)
        assistant = _assistant() if files else None
        results = [run(assistant, file, limit) for file in files if assistant]
    checks = _check_banks(banks, limit) if not target else []
    whole = as_run([*results, *checks], target or "this assistant")
    if as_json:
        typer.echo(_json(whole))
    else:
        for result in results:
            print_result(result)
        for check in checks:
            print_guard_result(check)
    measured: list[Result | GuardResult] = [*results, *checks]
    if out:
        _write_run(out, results, checks, whole, gate.differences(measured, compare) if compare else [])
    faults = gate.below_baseline(measured, baseline) if baseline else []
    faults += gate.below_floors(measured, floors) if floors else []
    for fault in faults:
        typer.echo(fault, err=True)
    if faults or any(result.failed for result in measured):
        raise typer.Exit(1)


def _check_banks(banks: Sequence[Path], limit: int | None) -> list[GuardResult]:
    """Measure the output guard on its pairs and drafts."""
    if not banks:
        return []
    from askdmt.evaluation.output_guard import run_guard
    from askdmt.guardrails.grounding import Grounding
    from askdmt.guardrails.output_guard import OutputGuard
    from askdmt.settings import load_settings

    grounding = Grounding.load(load_settings().cache)
    return [run_guard(OutputGuard(grounding), grounding, bank, limit) for bank in banks]


def _write_run(
    folder: Path, results: Sequence[Result], checks: Sequence[GuardResult], whole: dict[str, Any],
    changes: Sequence[tuple[str, str, float, float]],
) -> None:  # fmt: skip
    from askdmt.evaluation.junit import as_junit
    from askdmt.evaluation.report import as_html

    pages = {
        "run.json": json.dumps(whole, indent=2) + "\n",
        "junit.xml": as_junit(results, checks),
        "report.html": as_html(results, whole, changes, checks),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write in {folder}: {error.strerror}.", "Name another folder with --out.") from error


def _assistant(*, knowledge: Path | None = None, region: str | None = None, rebuild: bool = False) -> Assistant:
    from askdmt.settings import load_settings

    return _load(load_settings(knowledge=knowledge, region=region), rebuild=rebuild)


def _load(settings: Any, *, rebuild: bool = False) -> Assistant:
    """Load the assistant, with a progress bar on standard error while the index is built."""
    from askdmt.assistant import Assistant
    from askdmt.progress import bar

    with bar("Indexing the knowledge") as advance:
        return Assistant.load(settings, rebuild=rebuild, progress=advance)


def _prompt(label: str) -> str:
    try:
        return input(label).strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _json(data: Any) -> str:
    """Return JSON, with escapes where the terminal's encoding cannot show every character."""
    return json.dumps(data, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8", indent=2)


def _fail(message: str) -> NoReturn:
    typer.echo(f"askdmt: {message}", err=True)
    raise SystemExit(1)
