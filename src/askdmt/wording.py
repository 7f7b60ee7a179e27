"""The fixed texts in one language, from `prompts/replies/<language>.yaml`, and the replies built from them.

No text that a person reads stands in Python code: a clinician can read and change all of it in one file a language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from askdmt.decisions import Decision
from askdmt.errors import ContentError
from askdmt.reply import Citation, Reply, SupportLine
from askdmt.resources import content_folder, first_problem, placeholders, read_yaml, without_placeholders

DEFAULT_LANGUAGE = "en"

# Texts of one decision, told apart by the kind of message; the first is used when no kind is known.
VARIANTS: dict[Decision, tuple[str, ...]] = {
    Decision.EMERGENCY: ("other", "self"),
    Decision.CRISIS: ("self", "now", "other", "harm", "abuse"),
    Decision.REFUSE_SOURCING: ("get", "make", "guide", "deceit", "carry"),
    Decision.REFUSE_DOSING: ("drug", "trial", "medicine"),
    Decision.REFUSE_UNSUPERVISED_USE: ("use", "sitter", "test", "lying", "checking"),
    Decision.PERSONAL_ADVICE: ("decision", "suitability", "medicines", "condition", "diagnosis", "other"),
    Decision.ABOUT: (
        "capability",
        "greeting",
        "thanks",
        "goodbye",
        "identity",
        "sources",
        "privacy",
        "doctor",
        "human",
        "language",
        "cost",
        "disclaimer",
    ),
    Decision.OUT_OF_SCOPE: ("general", "abuse"),
}
_KINDS = {decision.value: variants for decision, variants in VARIANTS.items()} | {
    "personal_advice_ask": VARIANTS[Decision.PERSONAL_ADVICE],
    Decision.NOT_IN_SOURCES.value: ("none", "nearest"),
}

PLACEHOLDERS = {
    "emergency",
    "operator",
    "contact",
    "languages",
    "title",
    "limit",
    "seconds",
    "number",
    "address",
    "hours",
    "date",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Replies(_Strict):
    """The text of each fixed reply; a mapping where a decision has several kinds (`VARIANTS`)."""

    emergency: dict[str, str]
    crisis: dict[str, str]
    after_crisis: str
    refuse_sourcing: dict[str, str]
    refuse_dosing: dict[str, str]
    refuse_unsupervised_use: dict[str, str]
    prompt_attack: str
    personal_advice: dict[str, str]
    personal_advice_ask: dict[str, str]
    about: dict[str, str]
    unsupported_language: str
    out_of_scope: dict[str, str]
    not_in_sources: dict[str, str]
    model_privacy: str  # follows about.privacy where a language model writes
    mixed: str
    empty: str
    too_long: str
    error: str
    timeout: str
    unsure: str
    rate_limited: str
    starting: str
    busy: str


class SupportWords(_Strict):
    """How a help line is shown."""

    heading: str
    call: str
    text: str
    chat: str
    hours: str
    emergency: str  # name of the emergency services
    alternative: str  # stands between two numbers: " or "


class CitationWords(_Strict):
    """How a citation is shown."""

    heading: str
    reviewed: str
    draft: str
    show: str
    source: str


class Suggestions(_Strict):
    """Example questions a visitor may pick."""

    default: tuple[str, ...]
    refusal: tuple[str, ...]
    personal: tuple[str, ...]


class DeploymentWords(_Strict):
    """What is said where the operator has not set a name or a contact."""

    operator: str
    contact: str


class PageWords(_Strict):
    """The chat page's own words."""

    title: str
    tagline: str
    notice: str
    draft_notice: str
    message_label: str
    message_placeholder: str
    send: str
    stop: str
    clear: str
    download: str
    region_label: str
    examples_label: str
    help_heading: str
    sources_heading: str
    you: str
    assistant: str
    working: str
    stopped: str
    download_title: str
    cleared: str
    conversation_label: str
    new_tab: str  # said of a link that leaves the page
    skip: str  # link past the notice to the message box


class FeedbackWords(_Strict):
    """The question whether a reply helped, where the operator wants to know."""

    question: str
    helpful: str
    unhelpful: str
    thanks: str


class EmbedWords(_Strict):
    """What the embed says besides the chat page's words."""

    launcher: str  # the button on the clinic's own page
    close: str
    loading: str
    unavailable: str  # on the clinic's own page, where the embed does not come up
    notice_heading: str
    lost: str  # the network failed; names emergency numbers, since nothing else may work
    retry: str
    no_script: str
    overdue: str


class Wording(_Strict):
    """Every fixed text of one language."""

    language: str
    name: str
    direction: Literal["ltr", "rtl"]
    checked_by: str | None  # the native clinician who checked it; None: nobody yet
    disclaimer: str
    replies: Replies
    support: SupportWords
    citations: CitationWords
    suggestions: Suggestions
    deployment: DeploymentWords
    page: PageWords
    feedback: FeedbackWords
    embed: EmbedWords

    def with_page(self, title: str, tagline: str) -> Wording:
        """Return the texts with the operator's title and tagline of the pages, where they are not empty."""
        given = {name: text for name, text in (("title", title), ("tagline", tagline)) if text}
        return self.model_copy(update={"page": self.page.model_copy(update=given)}) if given else self

    def fixed(self, decision: Decision, variant: str | None = None, **values: str) -> str:
        """Return the fixed text of a decision; an unknown `variant` gives the decision's first."""
        texts: str | dict[str, str] = getattr(self.replies, decision.value)
        if isinstance(texts, dict):
            texts = texts.get(variant or "") or texts[VARIANTS[decision][0]]
        return texts.format_map(_Values(values))

    def suggestions_for(self, decision: Decision) -> tuple[str, ...]:
        """Return example questions that fit after a decision; none while somebody is in danger."""
        if decision.is_danger:
            return ()
        if decision.is_refusal:
            return self.suggestions.refusal
        return self.suggestions.personal if decision is Decision.PERSONAL_ADVICE else self.suggestions.default

    def citation_label(self, citation: Citation) -> str:
        """Return one line that names a citation's section, source and review date."""
        return f"[{citation.n}] {citation.title}. {citation.source} ({self.review_label(citation)})"

    def review_label(self, citation: Citation) -> str:
        """Return when a section was reviewed, and that it is a draft where no clinician has signed it."""
        dated = self.citations.reviewed.format(date=citation.reviewed) if citation.reviewed else ""
        return "; ".join(part for part in (dated, "" if citation.signed else self.citations.draft) if part)

    def support_label(self, line: SupportLine) -> str:
        """Return one line that says how to reach a help line."""
        words = self.support
        ways = [
            words.call.format(number=line.call) if line.call else "",
            words.text.format(number=line.text) if line.text else "",
            words.chat.format(address=line.chat) if line.chat else "",
            words.hours.format(hours=line.hours) if line.hours else "",
        ]
        return f"{line.name} ({line.region}): {'; '.join(way for way in ways if way)}"

    def reply(
        self,
        decision: Decision,
        body: str,
        *,
        citations: Sequence[Citation] = (),
        support: Sequence[SupportLine] = (),
        trace: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Build a reply whose text holds body, sources, help lines and the disclaimer, in that order."""
        parts = [body]
        if citations:
            parts.append(_block(self.citations.heading, map(self.citation_label, citations)))
        if support:
            parts.append(_block(self.support.heading, map(self.support_label, support)))
        parts.append(self.disclaimer)
        return Reply(
            decision=decision,
            text="\n\n".join(parts),
            body=body,
            disclaimer=self.disclaimer,
            citations=tuple(citations),
            support=tuple(support),
            suggestions=self.suggestions_for(decision),
            language=self.language,
            trace=trace,
        )


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def _block(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([heading, *lines])


def languages() -> tuple[str, ...]:
    """Return the languages that have fixed replies."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


@cache
def load_wording(language: str = DEFAULT_LANGUAGE) -> Wording:
    """Read and check the texts of a language; one without a file gets English.

    Raises:
        ContentError: the file is missing or does not fit, or a text is empty or cannot be filled; names the key.
    """
    path = _folder() / f"{language}.yaml"
    if language not in languages():
        path = _folder() / f"{DEFAULT_LANGUAGE}.yaml"
    raw = read_yaml(path)
    try:
        wording = Wording.model_validate(raw)
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the file.") from None
    _check(wording, path)
    return wording


def _check(wording: Wording, path: Path) -> None:
    for name, kinds in _KINDS.items():
        if set(getattr(wording.replies, name)) != set(kinds):
            raise ContentError(f"{path}: replies.{name} must have the keys {', '.join(kinds)}.", "Correct the file.")
    known = ", ".join(sorted(PLACEHOLDERS))
    for where, text in _texts(wording.model_dump()):
        if not text.strip():
            raise ContentError(f"{path}: {where} is empty.", "Write the text.")
        if unknown := sorted(placeholders(text) - PLACEHOLDERS):
            raise ContentError(f"{path}: {where}: unknown placeholder {{{unknown[0]}}}.", f"Known: {known}.")
        if set("{}") & set(without_placeholders(text)):
            raise ContentError(f"{path}: {where}: a brace that is no placeholder.", f"Known: {known}.")


def _texts(data: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with where it stands."""
    if isinstance(data, str):
        yield where, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, f"{where}.{key}".lstrip("."))
    elif isinstance(data, Sequence):
        for number, value in enumerate(data):
            yield from _texts(value, f"{where}.{number}")


def _folder() -> Path:
    return content_folder("prompts") / "replies"
