"""Extractive answers: reviewed passages, word for word, joined and cited."""

from __future__ import annotations

from dataclasses import dataclass

from askdmt.knowledge.search import Findings
from askdmt.knowledge.sections import Knowledge
from askdmt.reply import Citation
from askdmt.sentences import split_sentences

MOST_WORDS = 150
_MOST_PASSAGES = 3
_CLOSE = 0.18  # how far below the best score a passage may lie and still be shown


@dataclass(frozen=True, slots=True)
class Composed:
    """The body of an answer and the passages it cites."""

    body: str
    citations: tuple[Citation, ...]


def compose(
    knowledge: Knowledge, findings: Findings, *, most_words: int = MOST_WORDS, passages: int = _MOST_PASSAGES
) -> Composed:
    """Join the best passages, the best first, within `most_words`; each paragraph ends with its citation.

    Raises:
        ValueError: nothing was found.
    """
    if not findings.found:
        raise ValueError("there is no passage to answer with")
    best = findings.found[0].score
    paragraphs: list[str] = []
    citations: list[Citation] = []
    words_left = most_words
    for item in findings.found[: passages + 2]:
        if len(citations) == passages or (citations and item.score < best - _CLOSE):
            break
        text = opening(knowledge.passages[item.passage].text, words_left)
        if not text:
            continue
        citations.append(cite(knowledge, item.passage, len(citations) + 1))
        paragraphs.append(f"{text} [{len(citations)}]")
        words_left -= len(text.split())
    return Composed("\n\n".join(paragraphs), tuple(citations))


def cite(knowledge: Knowledge, passage_id: str, n: int) -> Citation:
    """Return the citation of a passage."""
    passage = knowledge.passages[passage_id]
    section = knowledge.by_id[passage.section]
    sources = [knowledge.sources[key] for key in passage.sources]
    url = next((source.address for source in sources if source.address), "")
    label = "; ".join(source.label for source in sources)
    return Citation(n, section.id, section.title, label, url, section.reviewed, passage.text, section.signed)


def opening(text: str, most_words: int) -> str:
    """Return the leading sentences of a passage that fit; none if not even two would."""
    if len(text.split()) <= most_words:
        return text
    kept: list[str] = []
    for sentence in split_sentences(text):
        if len(" ".join([*kept, sentence]).split()) > most_words:
            break
        kept.append(sentence)
    return " ".join(kept) if len(kept) > 1 else ""
