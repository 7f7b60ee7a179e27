"""Reads an article's file (.txt, .md, .html, .pdf, .docx) into headings, paragraphs and list items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from askdmt.errors import InputError
from askdmt.knowledge.check import FEWEST_WORDS, MOST_WORDS
from askdmt.knowledge.readability import word_count

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_HEADING_WORDS = 12
_WRAPPED = 120  # characters: a file whose lines are all shorter has its paragraphs broken into lines
_FULL = 0.8  # share of the longest line from which a line counts as full

_ITEM = re.compile(r"^\s*(?:[-*+•‣◦▪]|\d{1,2}[.)])\s+(.*)$")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_REFERENCE = re.compile(r"\s*\[(?:\d+(?:\s*[,–-]\s*\d+)*|@[^\]]*|citation needed|edit)\]")
# How a line of the site begins that is no part of the article; a mark of one only where the line is no sentence.
FURNITURE = re.compile(
    r"(?:share|tweet|print|save|like|follow us|subscribe|sign (?:up|in)|log ?in|read (?:more|next)|related"
    r"|advertisement|sponsored|all rights reserved|©|copyright|skip to|back to top|menu|search|home\b"
    r"|table of contents|contents$|posted|published|updated|written by|(?-i:[Bb]y [A-Z]\w+ [A-Z])|photo"
    r"|image|credit|loading|previous|next\b|comments?\b|leave a"
    r"|\d+ min(?:ute)?s? read|page \d+|\d+(?: of \d+)?$|\W*$|\d{1,2} \w+ \d{4}$|\w+ \d{1,2},? \d{4}$)",
    re.IGNORECASE,
)
_NOT_CONTENT = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|gdpr|share|sharing|social|newsletter|subscribe|signup|breadcrumbs?|related|comments?"
    r"|sidebar|menu|navbar|nav|advert|ads?|promo|banner|popup|modal|footer)(?:$|[\s_-])",
    re.IGNORECASE,
)
_NOT_CONTENT_TAGS = {
    "script", "style", "nav", "footer", "aside", "form", "button", "noscript", "figure", "svg", "iframe", "template",
    "select", "dialog", "table",
}  # fmt: skip

Kind = Literal["heading", "paragraph", "item"]


@dataclass(frozen=True, slots=True)
class Block:
    """One heading, paragraph or list item, on one line."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """A file as read: its blocks and what it says of itself."""

    blocks: tuple[Block, ...]
    title: str = ""
    publisher: str = ""
    date: str = ""
    url: str | None = None


def read_article(file: Path) -> Article:
    """Read a file by its suffix.

    Raises:
        InputError: it cannot be read, is of another kind, or is empty.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"Cannot read {file.name}: '{file.suffix}' is not supported.", f"Use {', '.join(_READERS)}.")
    try:
        size = file.stat().st_size if file.is_file() else None
        if size is None:
            raise InputError(f"There is no file {file}.", "Correct the path.")
        if not size:
            raise InputError(f"{file.name} is empty.", "Give a file with the article's text.")
        return reader(file)
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror or error}.", "Check its permissions.") from error


def _read_text_file(file: Path) -> str:
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{file.name} is UTF-16 text.", "Save it as UTF-8 and try again.")
    if b"\0" in data:
        raise InputError(f"{file.name} is not a text file.", "Save the article as text, or give the original file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file.name} is not UTF-8 text.", "Save it as UTF-8 and try again.") from None


def _read_txt(file: Path) -> Article:
    return _titled(Article(_guess_headings(_plain_blocks(_read_text_file(file).splitlines()))))


def _read_md(file: Path) -> Article:
    text = re.sub(r"\A---\n.*?\n---\n", "", _read_text_file(file).replace("\r\n", "\n"), flags=re.DOTALL)
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^(\S[^\n]*)\n(?:=+|-{3,})[ \t]*$", r"# \1\n", text, flags=re.MULTILINE)  # underlined headings
    blocks: list[Block] = []
    for chunk in re.split(r"\n[ \t]*\n|\n(?=#{1,6} )|(?<=\n)(?=[ \t]*(?:[-*+]|\d+[.)])[ \t])", text):
        blocks += _markdown_blocks(chunk.strip())
    return _titled(Article(tuple(blocks)))


def _markdown_blocks(chunk: str) -> Iterator[Block]:
    if not chunk or chunk.startswith("|") or re.fullmatch(r"[-*_ ]{3,}", chunk):
        return
    first, _, rest = chunk.partition("\n")
    if heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", first):
        yield Block("heading", _without_markdown(heading[1]))
        yield from _markdown_blocks(rest.strip())
    elif item := _ITEM.match(first):
        yield Block("item", _without_markdown(f"{item[1]} {rest}"))
    else:
        yield Block("paragraph", _without_markdown(chunk))


def _without_markdown(text: str) -> str:
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|<[^>]+>|^>\s?", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    return re.sub(r"(\*\*|__|\*|`|(?<!\w)_|_(?!\w))", "", text)


def _read_html(file: Path) -> Article:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(_decode_html(file), "html.parser")
    title, publisher, date, url = _html_record(soup)
    for tag in [tag for tag in soup.find_all(True) if _is_furniture(tag)]:
        if not tag.decomposed:
            tag.decompose()
    whole = soup.find("article") or soup.find("main") or soup.body or soup
    blocks = tuple(_html_blocks(whole))
    if not any(block.kind != "heading" for block in blocks):  # a page of <div> and <br>
        blocks = _guess_headings(_plain_blocks(whole.get_text("\n").splitlines()))
    return replace(_titled(Article(blocks, title)), publisher=publisher, date=date, url=url)


def _decode_html(file: Path) -> str:
    from bs4.dammit import EncodingDetector

    data = file.read_bytes()
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{file.name} is not a web page.", "Save the page again as HTML.")
    declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    for encoding in filter(None, ("utf-8-sig", declared)):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise InputError(f"{file.name} is not UTF-8 and names no other encoding.", "Save the page as UTF-8 and try again.")


def _html_record(soup: BeautifulSoup) -> tuple[str, str, str, str | None]:
    """Return title, publisher, date and address as the page's head gives them."""

    def meta(*names: str) -> str:
        for name in names:
            tag = soup.find("meta", attrs={"property": name}) or soup.find("meta", attrs={"name": name})
            if tag and tag.get("content"):
                return tidy(str(tag["content"]))
        return ""

    link = soup.find("link", rel="canonical")
    url = str(link.get("href") or "") if link else meta("og:url")
    title = meta("og:title") or (tidy(soup.title.get_text()) if soup.title else "")
    date = meta("article:published_time", "date", "dc.date")[:10]
    return title, meta("og:site_name", "author"), date, url if url.startswith(("https://", "http://")) else None


def _is_furniture(tag: Tag) -> bool:
    if tag.name in ("html", "body", "article", "main"):
        return False
    if tag.name in _NOT_CONTENT_TAGS or tag.has_attr("hidden") or tag.get("aria-hidden") == "true":
        return True
    if tag.get("role") in ("navigation", "banner", "contentinfo", "dialog", "complementary"):
        return True
    if "display:none" in str(tag.get("style") or "").replace(" ", ""):
        return True
    names = [*(tag.get_attribute_list("class")), tag.get("id")]
    return any(_NOT_CONTENT.search(str(name)) for name in names if name)


def _html_blocks(whole: Tag | BeautifulSoup) -> Iterator[Block]:
    names = ["h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "blockquote", "dd"]
    for tag in whole.find_all(names):
        if tag.find_parent(["li", "blockquote", "dd"]) or (tag.name == "li" and tag.find("li")):
            continue
        kind: Kind = "heading" if tag.name.startswith("h") else "item" if tag.name == "li" else "paragraph"
        yield Block(kind, tag.get_text(" " if tag.find("br") or tag.find("p") else ""))


def _read_pdf(file: Path) -> Article:
    from pypdf import PdfReader

    pages: list[list[str]]
    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{file.name} is protected by a password.", "Save a copy without one and try again.")
        pages = [(page.extract_text() or "").splitlines() for page in reader.pages]
        record = reader.metadata
        title, publisher = tidy(record.title or "") if record else "", tidy(record.author or "") if record else ""
    except InputError:
        raise
    except Exception as error:  # pypdf raises many kinds for a broken file
        raise InputError(f"{file.name} cannot be read as a PDF.", "Save or print it to PDF again.") from error
    blocks = _guess_headings(_plain_blocks(_without_page_furniture(pages)))
    if not blocks:
        raise InputError(f"{file.name} holds pictures of pages and no text.", "Run it through text recognition (OCR).")
    return replace(_titled(Article(blocks, title)), publisher=publisher)


def _without_page_furniture(pages: Sequence[Sequence[str]]) -> list[str]:
    """Join pages into lines, without page numbers and the running titles that most pages repeat."""

    def shape(line: str) -> str:
        return re.sub(r"\d+", "0", line.strip())

    counts = Counter(found for page in pages for found in {shape(line) for line in page})
    repeated = {found for found, count in counts.items() if count > max(len(pages) / 2, 1)}
    return [
        line for page in pages for line in page if shape(line) not in repeated and not re.fullmatch(r"\s*\d+\s*", line)
    ]


def _read_docx(file: Path) -> Article:
    from docx import Document

    if file.read_bytes()[:4] == b"\xd0\xcf\x11\xe0":  # the container of a locked file, and of the old .doc
        raise InputError(f"{file.name} is locked or an old Word file.", "Save it as .docx without a password.")
    try:
        document: Any = Document(str(file))
        found = [(paragraph.style.name or "", paragraph.text) for paragraph in document.paragraphs]
        record = document.core_properties
        title, publisher = tidy(record.title or ""), tidy(record.author or "")
    except Exception as error:  # zipfile, lxml and python-docx each raise their own
        raise InputError(f"{file.name} cannot be read as a Word file.", "Save it as .docx again.") from error
    blocks = tuple(Block(_docx_kind(style), text) for style, text in found if text.strip())
    if not any(block.kind == "heading" for block in blocks):
        blocks = _guess_headings(blocks)
    return replace(_titled(Article(blocks, title)), publisher="" if publisher == "python-docx" else publisher)


def _docx_kind(style: str) -> Kind:
    if style.startswith(("Heading", "Title")):
        return "heading"
    return "item" if style.startswith("List") else "paragraph"


_READERS: dict[str, Callable[[Path], Article]] = {
    ".txt": _read_txt,
    ".md": _read_md,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".docx": _read_docx,
}


def _plain_blocks(lines: Sequence[str]) -> tuple[Block, ...]:
    """Return the blocks of plain text, with the lines of one paragraph joined and a tag line at its foot dropped."""
    lines = _without_foot([line.rstrip() for line in lines])
    longest = max(map(len, lines), default=0)
    blocks: list[Block] = []
    before = ""
    for line in lines:
        item = _ITEM.match(line)
        if item:
            blocks.append(Block("item", item[1]))
        elif before and blocks and _goes_on(before, line, longest):
            blocks[-1] = Block(blocks[-1].kind, _joined(blocks[-1].text, line))
        elif line.strip():
            blocks.append(Block("paragraph", line.strip()))
        before = line
    return tuple(blocks)


def _without_foot(lines: list[str]) -> list[str]:
    """Drop a few words that stand apart at the end, behind two or more blank lines."""
    text = "\n".join(line.strip() for line in lines).strip()
    body, gap, foot = text.rpartition("\n\n\n")
    apart = gap and word_count(foot) < FEWEST_WORDS and word_count(body) > MOST_WORDS
    return body.rstrip().split("\n") if apart else lines


def _goes_on(before: str, line: str, longest: int) -> bool:
    """Whether a line continues the one before it."""
    text = line.strip()
    if not text:
        return False
    if text[0].islower() or before.endswith((",", "-")):
        return True
    wrapped = longest <= _WRAPPED
    return wrapped and len(before) >= _FULL * longest and not before.endswith(":")


def _joined(before: str, line: str) -> str:
    text = line.strip()
    if re.search(r"[a-z]-$", before) and text[:1].islower():
        return before[:-1] + text
    return f"{before} {text}"


def _guess_headings(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Call a short line without a full stop a heading where something follows it."""
    guessed = [Block("heading", block.text) if _looks_like_heading(block) else block for block in blocks[:-1]]
    return (*guessed, *blocks[-1:])


def _looks_like_heading(block: Block) -> bool:
    text = block.text.strip()
    return (
        block.kind == "paragraph"
        and word_count(text) <= _HEADING_WORDS
        and re.match(r"[A-Z0-9“\"]", text) is not None
        and text[-1] not in ".,;:!"
        and not FURNITURE.match(text)
    )


def _titled(article: Article) -> Article:
    """Take the title from the heading that opens the file, unless the file's record gives quite another one."""
    if not article.blocks or article.blocks[0].kind != "heading":
        return article
    opening = tidy(article.blocks[0].text)
    if article.title and opening.casefold() not in article.title.casefold():
        return article
    return replace(article, title=opening, blocks=article.blocks[1:])


def tidy(text: str) -> str:
    """Return a text on one line, without reference marks and invisible characters."""
    text = _REFERENCE.sub("", _INVISIBLE.sub("", text)).replace("\u2011", "-")
    return " ".join(text.split())
