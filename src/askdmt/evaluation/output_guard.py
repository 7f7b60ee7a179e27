"""Measures the output guard: labelled pairs of passage and sentence, and a bank of bad and of good drafts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from askdmt.evaluation.datasets import FILLED_IN, digest, load_lines
from askdmt.evaluation.metrics import Share
from askdmt.evaluation.printing import print_figures
from askdmt.guardrails.pairs import load_pairs
from askdmt.knowledge.sections import load_knowledge
from askdmt.progress import bar
from askdmt.resources import content_folder

if TYPE_CHECKING:
    from askdmt.guardrails.grounding import Grounding
    from askdmt.guardrails.output_guard import OutputGuard

FOLDER = "output_guard"  # of the datasets whose lines are pairs or drafts


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model might write to a question; `bad` are its sentences that must not be shown."""

    id: str
    passages: tuple[str, ...]
    text: str
    kind: str
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One pair or one sentence of a draft with what the guard did; an error is told apart from a wrong verdict."""

    id: str
    text: str
    kind: str
    is_good: bool
    is_shown: bool
    reasons: tuple[str, ...] = ()
    failure: str = ""

    @property
    def is_right(self) -> bool:
        """Whether what is good was shown, and what is bad was not."""
        return self.is_good is self.is_shown


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What was measured on one file."""

    dataset: str
    digest: str
    figures: dict[str, Share]
    rows: tuple[Check, ...]

    @property
    def misses(self) -> list[Check]:
        """Rows on which the guard was wrong, what it should have caught first."""
        return sorted((row for row in self.rows if not row.is_right), key=lambda row: row.is_good)

    @property
    def failed(self) -> list[Check]:
        """Rows that could not be checked."""
        return [row for row in self.rows if row.failure]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "items": len(self.rows),
            "failed": len(self.failed),
            "figures": {
                name: {"count": share.count, "total": share.total, "value": round(share.value, 4),
                       "interval": [round(end, 4) for end in share.interval]}
                for name, share in self.figures.items()
            },
            "misses": [[row.id, "show" if row.is_good else "withhold", "|".join(row.reasons)] for row in self.misses],
        }  # fmt: skip


def is_of_the_output_guard(dataset: Path) -> bool:
    """Whether a file holds pairs or drafts instead of messages."""
    return FOLDER in dataset.parts


def run_guard(guard: OutputGuard, grounding: Grounding, dataset: Path, limit: int | None = None) -> GuardResult:
    """Check every pair or draft of a file.

    Raises:
        AskDMTError: the file cannot be read or a line does not fit; names the line.
    """
    if "drafts" in dataset.stem:
        return _run_drafts(guard, dataset, limit)
    return _run_pairs(grounding, dataset, limit)


def _run_pairs(grounding: Grounding, dataset: Path, limit: int | None) -> GuardResult:
    rows = []
    pairs = load_pairs(dataset)[:limit]
    with bar(f"Checking {dataset.stem}") as advance:
        for pair in pairs:
            verdict = grounding.check(pair.sentence, [pair.passage])
            kind = ", ".join(pair.tags)
            rows.append(Check(pair.id, pair.sentence, kind, pair.supported, verdict.supported, verdict.reasons))
            advance(len(rows), len(pairs))
    caught = _share([row for row in rows if not row.is_good])
    kept = _share([row for row in rows if row.is_good])
    return GuardResult(
        _name(dataset), digest(dataset), {"unsupported caught": caught, "supported kept": kept}, tuple(rows)
    )


def _run_drafts(guard: OutputGuard, dataset: Path, limit: int | None) -> GuardResult:
    """Stream every draft through the guard; a bad one is caught when none of its bad sentences is shown."""
    rows: list[Check] = []
    bad: dict[str, list[Share]] = {}
    drafts = load_drafts(dataset)[:limit]
    with bar(f"Checking {dataset.stem}") as advance:
        for number, draft in enumerate(drafts, start=1):
            found = list(_checks(guard, draft))
            rows += found
            if "bad" in dataset.stem:
                is_caught = all(row.is_right for row in found if not row.is_good)
                bad.setdefault(draft.kind, []).append(Share(is_caught, 1))
            advance(number, len(drafts))
    good = [row for row in rows if row.is_good]
    figures = {"bad drafts caught": _sum([share for shares in bad.values() for share in shares])} if bad else {}
    figures |= {f"bad drafts caught: {kind}": _sum(shares) for kind, shares in bad.items()}
    figures |= {"good sentences wrongly dropped": Share(sum(not row.is_shown for row in good), len(good))}
    return GuardResult(_name(dataset), digest(dataset), figures, tuple(rows))


def _checks(guard: OutputGuard, draft: Draft) -> Iterator[Check]:
    """Yield a check for each bad sentence, shown or not, and one for each other sentence of the draft."""
    verdicts = list(guard.check_stream(_tokens(draft.text), draft.passages))
    shown = [_letters(verdict.text) for verdict in verdicts if verdict.shown]
    bad = [_letters(sentence) for sentence in draft.bad]
    reasons = tuple(dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons))
    failure = "error" if "error" in reasons else ""
    for number, (sentence, letters) in enumerate(zip(draft.bad, bad, strict=True)):
        is_shown = any(_overlap(letters, text) for text in shown) if letters else bool(shown)
        yield Check(f"{draft.id}:bad{number}", sentence, draft.kind, False, is_shown, reasons, failure)
    for number, sentence in enumerate(_good_sentences(draft, bad)):
        is_shown = any(_overlap(_letters(sentence), text) for text in shown)
        yield Check(f"{draft.id}:{number}", sentence, draft.kind, True, is_shown, reasons, failure)


def _good_sentences(draft: Draft, bad: Sequence[str]) -> list[str]:
    """Return the sentences of a draft that are not among the bad ones; a draft that is all bad has none."""
    from askdmt.guardrails.drafts import Sentences

    cut = Sentences()
    sentences = [*cut.feed(draft.text), *filter(None, [cut.rest()])]
    different = dict.fromkeys(sentence for sentence in sentences if _letters(sentence))
    return [sentence for sentence in different if not any(_overlap(_letters(sentence), text) for text in bad if text)]


def load_drafts(dataset: Path) -> list[Draft]:
    """Read a bank of drafts, with the texts of the passages that they were written to.

    Raises:
        InputError: it cannot be read, or a line does not fit; names the line.
    """
    passages = load_knowledge(content_folder("knowledge")).passages

    def draft(raw: Any, _: int) -> Draft:
        return Draft(
            raw["id"],
            tuple(passages[key].text for key in raw["passage_ids"]),
            _filled(raw["draft"]) * int(raw.get("repeat", 1)),
            raw["kind"],
            tuple(map(_filled, raw["bad"])),
        )

    return load_lines(dataset, draft)


def print_guard_result(result: GuardResult) -> None:
    """Print a result for people."""
    console = print_figures(result.dataset, result.figures)
    for row in result.misses[:20]:
        did = "withheld" if row.is_good else "shown"
        console.print(f"  {row.id}: wrongly {did} {', '.join(row.reasons)}", highlight=False)


def _filled(text: str) -> str:
    return text.replace("{n}", FILLED_IN)


def _tokens(text: str) -> Iterator[str]:
    """Yield a text in small pieces, as a model streams it."""
    yield from re.findall(r"\s*\S{1,6}|\s+", text)


def _letters(text: str) -> str:
    """Return a text's letters and digits only, so that markup and citations tell no two apart."""
    return re.sub(r"\[\d[\d,\s–-]*\]|[\W_]+", "", text).casefold()


def _overlap(first: str, second: str) -> bool:
    return bool(first and second) and (first in second or second in first)


def _share(rows: Sequence[Check]) -> Share:
    return Share(sum(row.is_right for row in rows), len(rows))


def _sum(shares: Sequence[Share]) -> Share:
    return Share(sum(share.count for share in shares), sum(share.total for share in shares))


def _name(dataset: Path) -> str:
    """Return a file's place below the published sets."""
    return "/".join(dataset.parts[dataset.parts.index(FOLDER) :])
