"""Where a reply's time goes: `python -m bench.profiling`, with src/ and evals/ on the path; prints Markdown."""

from __future__ import annotations

import cProfile
import pstats
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from askdmt.assistant import Assistant, _different_texts
from bench.questions import mixed

_SHOWN = 25  # functions


def main() -> None:
    """Answer the mixed questions, once for the stages' times and once under the profiler."""
    assistant = Assistant.load()
    questions = mixed()
    for question in questions[:10]:
        assistant.reply(question)
    lines = [*_stages(assistant, questions), "", *_functions(assistant, questions)]
    sys.stdout.write("\n".join(lines) + "\n")


def _stages(assistant: Assistant, questions: list[str]) -> Iterator[str]:
    spent: dict[str, list[float]] = defaultdict(list)
    for question in questions:
        reply = assistant.reply(question, trace=True)
        for stage, milliseconds in (reply.trace or {}).get("milliseconds", {}).items():
            spent[stage].append(milliseconds)
    yield "| stage | replies with it | median, ms | mean, ms |"
    yield "| --- | --- | --- | --- |"
    for stage, times in spent.items():
        yield f"| {stage} | {len(times)} | {statistics.median(times):.2f} | {statistics.mean(times):.2f} |"


def _functions(assistant: Assistant, questions: list[str]) -> Iterator[str]:
    turns = [assistant._accept(question, None) for question in questions]
    profile = cProfile.Profile(time.process_time)  # of all threads: waiting for the encoder counts its work
    profile.enable()
    for conversation, region in turns:
        turn = assistant._read_safely(conversation, region)
        assert turn
        texts = _different_texts([turn])
        assistant._take_safely([turn], partial(assistant.encoder.encode, texts), time.perf_counter())
        assistant._finish_safely(turn, region, trace=False)
    profile.disable()
    found = pstats.Stats(profile).get_stats_profile().func_profiles
    yield "| function | calls a reply | own ms a reply | with what it calls |"
    yield "| --- | --- | --- | --- |"
    for name, function in sorted(found.items(), key=lambda item: -item[1].tottime)[:_SHOWN]:
        calls = int(str(function.ncalls).partition("/")[0]) / len(turns)
        own, whole = (1000 * seconds / len(turns) for seconds in (function.tottime, function.cumtime))
        where = Path(function.file_name).name
        yield f"| `{name}` ({where}) | {calls:.1f} | {own:.2f} | {whole:.2f} |"


if __name__ == "__main__":
    main()
