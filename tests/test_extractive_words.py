"""Without a language model the assistant says nothing of its own: each sentence stands in `knowledge/` or `prompts/`.

Shown over thousands of labelled messages: all of the evaluations, and as many exemplars as make 3,000 together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import pytest

from askdmt.answering.extractive import MOST_WORDS
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.guardrails.language import JUDGED
from askdmt.knowledge.check import has_amount
from askdmt.reply import Reply
from askdmt.sentences import split_sentences
from askdmt.wording import Wording, languages, load_wording
from datasets import EVALS, EXEMPLARS, Labelled, lines

pytestmark = pytest.mark.timeout(1500)

ASKED = 3000
REGION = "gb"
_CITATION = re.compile(r" \[\d+\](?=\n|$)")
Answered = list[tuple[Labelled, Reply]]


def messages() -> list[Labelled]:
    """Return all evaluations, and exemplars spread evenly over their files."""
    asked = [item for file in EVALS for item in lines(file)]
    exemplars = [item for file in EXEMPLARS for item in lines(file)]
    wanted = max(ASKED - len(asked), 0)
    return asked + [exemplars[place * len(exemplars) // wanted] for place in range(wanted)]


@pytest.fixture(scope="module")
def answered(assistant: Assistant) -> Answered:
    asked = messages()
    return list(zip(asked, assistant.reply_many([item.messages for item in asked], region=REGION), strict=True))


def fixed_texts(assistant: Assistant, wording: Wording) -> Iterator[str]:
    """Yield every fixed text of a language, filled with what the assistant fills in."""
    values = {
        "emergency": wording.support.alternative.join(assistant.support.emergency_numbers(REGION)),
        "operator": wording.deployment.operator,
        "contact": wording.deployment.contact,
        "languages": ", ".join(load_wording(code).name for code in JUDGED),
        "limit": str(assistant.settings.max_characters),
    }
    for text in _texts(wording.replies.model_dump()):
        if "{title}" in text:
            yield from (text.replace("{title}", section.title) for section in assistant.knowledge.sections)
        elif "{seconds}" not in text:
            yield text.format_map(values)


def _texts(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        yield from chain.from_iterable(map(_texts, data.values()))


@pytest.fixture(scope="module")
def known(assistant: Assistant) -> set[str]:
    """Every sentence of the knowledge and of the fixed texts."""
    texts = [passage.text for passage in assistant.knowledge.passages.values()]
    texts += [text for code in languages() for text in fixed_texts(assistant, load_wording(code))]
    return {sentence for text in texts for sentence in split_sentences(text)}


def test_thousands_are_asked_and_every_decision_is_met(answered: Answered) -> None:
    assert len(answered) >= ASKED
    assert {reply.decision for _, reply in answered} == set(Decision)


def test_each_sentence_stands_word_for_word_in_the_knowledge_or_the_prompts(
    answered: Answered, known: set[str]
) -> None:
    strange = Counter(
        sentence
        for _, reply in answered
        for sentence in split_sentences(_CITATION.sub("", reply.body))
        if sentence not in known
    )
    assert strange == Counter()


def test_every_paragraph_with_a_citation_is_what_the_cited_passage_says(
    answered: Answered, assistant: Assistant
) -> None:
    texts = {passage.text for passage in assistant.knowledge.passages.values()}
    for item, reply in answered:
        cited = re.findall(r"^(.*) \[(\d+)\]$", reply.body, re.MULTILINE)
        assert [int(number) for _, number in cited] == [citation.n for citation in reply.citations], item.id
        for (paragraph, _), citation in zip(cited, reply.citations, strict=True):
            assert citation.passage in texts
            assert citation.passage.startswith(paragraph), item.id


def test_every_reply_has_its_disclaimer(answered: Answered) -> None:
    for item, reply in answered:
        assert reply.disclaimer == load_wording(reply.language).disclaimer, item.id
        assert reply.text.endswith(reply.disclaimer), item.id


def test_an_answer_has_sources_and_at_most_150_words(answered: Answered) -> None:
    for item, reply in answered:
        if reply.decision is Decision.ANSWER:
            assert reply.citations, item.id
            opening = load_wording(reply.language).replies.after_crisis
            answer = _CITATION.sub("", reply.body.removeprefix(opening))
            assert len(answer.split()) <= MOST_WORDS, item.id


def test_danger_gets_help_lines_and_nothing_of_the_article(answered: Answered) -> None:
    for item, reply in answered:
        if reply.decision.is_danger:
            assert reply.support, item.id
            assert reply.citations == (), item.id
            assert "999" in reply.body, item.id


def test_no_reply_gives_an_amount(answered: Answered) -> None:
    assert [item.id for item, reply in answered if has_amount(reply.text)] == []


def test_no_reply_quotes_the_visitor(answered: Answered, known: set[str]) -> None:
    for item, reply in answered:
        said = item.turns[-1].strip()
        if len(said) > 60 and said not in known:
            assert said not in reply.text, item.id
