"""Turns an article into draft sections, which nobody has reviewed and which have no questions yet.

Read the file into blocks, drop what is not the article, shape paragraphs, group them into sections, write the folder.
Sentences with amounts are left out, since no answer may ever hold one (POLICY.md, promise 3).
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import yaml

from askdmt.errors import AskDMTError, InputError
from askdmt.knowledge.articles import FURNITURE, Article, Block, Kind, read_article, tidy
from askdmt.knowledge.check import FEWEST_WORDS, MOST_WORDS, has_amount
from askdmt.knowledge.lexical import Lexicon, stems
from askdmt.knowledge.readability import word_count
from askdmt.knowledge.sections import SOURCES_FILE, load_knowledge
from askdmt.sentences import split_sentences

log = logging.getLogger(__name__)

_SOURCE = "article"
_UNDATED = "undated"
_MOST_TOGETHER = 3  # paragraphs in a section where the file has no headings
_SAME_TOPIC = 0.1  # share of a paragraph's words, by weight, that the one before must have
_TITLE_WORDS = 9
_CLAUSE = 4  # words from which a clause may be a title by itself
_LEAD_IN = 2  # words of meaning that a clause needs to be more than a lead-in
_ID_LENGTH = 60

_ENDS = re.compile(r"[.!?…][\"'”’)\]]*$")
_SITE_SENTENCE = re.compile(
    r"^(?:share (?:this|on|with)|tweet|follow us|subscribe|sign (?:up|in)\b|log ?in|read (?:more|next))"
    r"|©|\ball rights reserved|^copyright",
    re.IGNORECASE,
)
_COOKIES = re.compile(r"\bcookies?\b.*\b(?:accept|agree|consent|use|settings|policy)\b", re.IGNORECASE | re.DOTALL)
_COOKIES_BEFORE = re.compile(r"\b(?:accept|agree|consent|use|manage)\b.*\bcookies?\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A section to be."""

    title: str
    paragraphs: tuple[str, ...]


def ingest(file: Path, out_folder: Path, *, title: str | None = None) -> list[Path]:
    """Write an article's draft sections and `sources.yaml` into a new folder; return the sections' files in order.

    `title` is the article's, where the file's own is missing or wrong. Nothing is written unless all of it can be.

    Raises:
        InputError: the file cannot be read or has no text of use, or the folder is not empty.
    """
    _check_out(out_folder)
    article = read_article(file)
    if title and title.strip():
        if has_amount(title):
            raise InputError("The title given holds an amount.", "Give one without: no reply may show any.")
        article = replace(article, title=" ".join(title.split()))
    drafts = _drafts(article, file)
    return _write(drafts, _source(article, file), out_folder)


# Shaping


def _drafts(article: Article, file: Path) -> list[_Draft]:
    blocks = _with_lists(_cleaned(article.blocks))
    title = _without_amount(article.title, file.stem)
    if any(block.kind == "heading" for block in blocks):
        drafts = _by_heading(blocks, title)
    else:
        drafts = _by_topic(_shaped(block.text for block in blocks))
    if not drafts:
        raise InputError(f"{file.name} has no paragraphs to make sections of.", "Give a file with the article's text.")
    return drafts


def _cleaned(blocks: Iterable[Block]) -> list[Block]:
    """Tidy each block; drop furniture and repetitions."""
    seen: set[str] = set()
    kept = []
    for block in blocks:
        text = tidy(block.text)
        if not re.search(r"[^\W\d_]{2}", text) or _is_site_text(block.kind, text) or text in seen:
            continue
        if block.kind == "paragraph":
            seen.add(text)
        kept.append(Block(block.kind, text))
    return kept


def _is_site_text(kind: Kind, text: str) -> bool:
    words = word_count(text)
    if words < 2 * FEWEST_WORDS and (_COOKIES.search(text) or _COOKIES_BEFORE.search(text)):
        return True
    if kind == "heading":
        return words <= 4 and bool(re.match(r"(?:related|share|comments?|newsletter|subscribe|menu)\b", text, re.I))
    if words >= FEWEST_WORDS:
        return False
    if _ENDS.search(text):
        return bool(_SITE_SENTENCE.search(text))
    return bool(FURNITURE.match(text)) or (kind == "paragraph" and not text.endswith(":"))


def _with_lists(blocks: Sequence[Block]) -> list[Block]:
    """Join a list to the line that leads it in; drop such a line whose list is lost, and lists of bare links."""
    joined: list[Block] = []
    for is_item, group in groupby(blocks, key=lambda block: block.kind == "item"):
        members = list(group)
        if not is_item:
            joined += members
            continue
        leads = bool(joined) and joined[-1].kind == "paragraph" and joined[-1].text.endswith(":")
        if leads:
            joined[-1] = Block("paragraph", f"{joined[-1].text} {_listed(members)}")
        elif any(word_count(member.text) > 3 for member in members):
            joined.append(Block("paragraph", _listed(members)))
    return [block for block in joined if block.kind == "heading" or not block.text.endswith(":")]


def _listed(items: Sequence[Block]) -> str:
    texts = [item.text.rstrip(";,") for item in items]
    if all(_ENDS.search(text) for text in texts):
        return " ".join(texts)
    return "; ".join(text.rstrip(".") for text in texts) + "."


def _by_heading(blocks: Sequence[Block], title: str) -> list[_Draft]:
    drafts = []
    heading = title
    for is_heading, group in groupby(blocks, key=lambda block: block.kind == "heading"):
        members = list(group)
        if is_heading:
            heading = members[-1].text  # one that only holds others has no text of its own
        elif paragraphs := _shaped(member.text for member in members):
            drafts.append(_Draft(_without_amount(heading, _first_words(paragraphs[0])), tuple(paragraphs)))
    return drafts


def _by_topic(paragraphs: Sequence[str]) -> list[_Draft]:
    """Put neighbours that share their words into one section, titled with its first words."""
    lexicon = Lexicon({str(number): text for number, text in enumerate(paragraphs)})
    groups: list[list[str]] = []
    for number, text in enumerate(paragraphs):
        near = number > 0 and lexicon.coverage(stems(text), str(number - 1)) >= _SAME_TOPIC
        if near and len(groups[-1]) < _MOST_TOGETHER:
            groups[-1].append(text)
        else:
            groups.append([text])
    return [_Draft(_first_words(group[0]), tuple(group)) for group in groups]


def _first_words(text: str) -> str:
    """Return a text's opening words as a title, without a lead-in such as "In this article,"."""
    text = re.sub(r"\s*\([^)]*\)|[—–].*", "", split_sentences(text)[0])
    lead, comma, rest = text.partition(", ")
    if comma and len(stems(lead)) < _LEAD_IN and len(stems(rest)) >= _LEAD_IN:
        text = rest
    opening = re.split(r"(?<=\w),(?=\s)", text)[0].split()[:_TITLE_WORDS]
    if len(opening) < _CLAUSE:
        opening = text.split()[:_TITLE_WORDS]
    while len(opening) > 1 and not stems(opening[-1]):
        opening.pop()
    title = re.sub(r"[\W_]+$", "", " ".join(opening)) or text
    return title[0].upper() + title[1:]


def _shaped(paragraphs: Iterable[str]) -> list[str]:
    """Return paragraphs without amounts, of 25 to 90 words where sentences allow it."""
    shaped: list[str] = []
    for paragraph in paragraphs:
        for piece in _pieces(_without_amounts(paragraph)):
            if shaped and _belongs_to(shaped[-1], piece):
                shaped[-1] = f"{shaped[-1]} {piece}"
            else:
                shaped.append(piece)
    return shaped


def _belongs_to(before: str, piece: str) -> bool:
    """Whether two paragraphs are better one: one is too short, and together they are not too long."""
    lengths = word_count(before), word_count(piece)
    return min(lengths) < FEWEST_WORDS and sum(lengths) <= MOST_WORDS


def _without_amounts(paragraph: str) -> str:
    sentences = split_sentences(paragraph)
    kept = [sentence for sentence in sentences if not has_amount(sentence)]
    if len(kept) < len(sentences):
        log.warning("left out %s sentences that give amounts", len(sentences) - len(kept))
    return " ".join(kept)


def _without_amount(*names: str) -> str:
    """Return the first name that is one and gives no amount, for a citation shows it."""
    return next((name for name in names if name and not has_amount(name)), _SOURCE)


def _pieces(paragraph: str) -> list[str]:
    """Split a long paragraph at sentence ends into parts of about equal length."""
    words = word_count(paragraph)
    if words <= MOST_WORDS:
        return [paragraph] if paragraph else []
    wanted = words / -(-words // MOST_WORDS)
    pieces: list[str] = []
    for sentence in split_sentences(paragraph):
        length = word_count(sentence)
        if pieces and (so_far := word_count(pieces[-1])) + length <= MOST_WORDS and so_far + length / 2 <= wanted:
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    return pieces


# Writing


def _check_out(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder.", "Name a new one: drafts never overwrite anything.")


def _source(article: Article, file: Path) -> dict[str, str]:
    source = {
        "title": _without_amount(article.title, file.stem),
        "publisher": _without_amount(article.publisher, file.name),
        "date": article.date or _UNDATED,
    }
    return source | ({"url": article.url} if article.url else {})


def _write(drafts: Sequence[_Draft], source: dict[str, str], out_folder: Path) -> list[Path]:
    """Write everything beside the folder, prove that it loads, then move it into place."""
    try:
        out_folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".askdmt-ingest-", dir=out_folder.parent))
        try:
            names = _write_into(made, drafts, source)
            made.chmod(0o755)  # mkdtemp's own is for its owner alone
            if out_folder.exists():
                out_folder.rmdir()
            made.rename(out_folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise InputError(f"Cannot write {out_folder}: {error.strerror}.", "Name a folder you may write to.") from error
    return [out_folder / name for name in names]


def _write_into(folder: Path, drafts: Sequence[_Draft], source: dict[str, str]) -> list[str]:
    (folder / SOURCES_FILE).write_text(_yaml({_SOURCE: source}), encoding="utf-8")
    names = []
    for number, (key, draft) in enumerate(zip(_ids(drafts), drafts, strict=True), start=1):
        names.append(f"{number:02d}-{key}.md")
        (folder / names[-1]).write_text(_markdown(key, number, draft), encoding="utf-8")
    try:
        load_knowledge(folder)
    except AskDMTError as error:  # never expected: it would be a fault of this module
        raise InputError("The drafts do not load.", "Report this, with the file.") from error
    return names


def _markdown(key: str, number: int, draft: _Draft) -> str:
    front = {
        "id": key,
        "title": draft.title,
        "order": number * 10,
        "source": _SOURCE,
        "reviewed": None,
        "reviewer": None,
        "review_due": None,
        "questions": {},
    }
    return f"---\n{_yaml(front)}---\n" + "\n\n".join(draft.paragraphs) + "\n"


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)


def _ids(drafts: Sequence[_Draft]) -> list[str]:
    """Return a section id for each draft, from its title, none twice."""
    ids: list[str] = []
    for number, draft in enumerate(drafts, start=1):
        ascii_title = unicodedata.normalize("NFKD", draft.title).encode("ascii", "ignore").decode().lower()
        words = re.sub(r"[^a-z0-9]+", "-", ascii_title).strip("-")
        key = words if len(words) <= _ID_LENGTH else words[: _ID_LENGTH + 1].rpartition("-")[0] or words[:_ID_LENGTH]
        key = key or f"section-{number}"
        ids.append(key if key not in ids else f"{key}-{number}")
    return ids
