"""Reading articles: each kind of file into its blocks, what is left out, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from docx import Document
from pypdf import PdfReader, PdfWriter

from askdmt.errors import InputError
from askdmt.knowledge.articles import Article, read_article, tidy

BEES = (
    "Honey bees live in a hive with one queen. The queen lays all of the eggs, and the workers feed the young. "
    "A hive may hold many thousand bees when the summer is warm and flowers are near."
)
DANCE = (
    "A worker that has found flowers flies home and dances. The dance tells the other bees how far away the flowers "
    "are and which way to fly. Scientists learnt to read the dance in the last century."
)
WINTER = (
    "In winter the bees stay close together and eat the honey that they have stored. Their bodies keep the hive warm. "
    "A strong hive can live through months of snow and wake up again in spring."
)
INTRO = "The keeper has to look after the following:"
BOOK = "https://example.org/bees"
Read = Callable[[str, str | bytes], Article]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a file's content under a name."""

    def run(name: str, content: str | bytes) -> Article:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_article(file)

    return run


def texts(article: Article, kind: str) -> list[str]:
    return [tidy(block.text) for block in article.blocks if block.kind == kind]


def paragraphs(article: Article) -> list[str]:
    return texts(article, "paragraph")


def headings(article: Article) -> list[str]:
    return texts(article, "heading")


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """Write a PDF by hand: one line of text below another."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, lines in enumerate(pages):
        drawn = " ".join(f"({line}) Tj T*" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 780 Td {drawn} ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}").encode("latin-1")


def wrapped(text: str, width: int = 60) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def docx(paragraphs: Sequence[tuple[str, str]]) -> bytes:
    document = Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style=style or None)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


# Text


def test_lines_of_a_wrapped_text_file_are_joined(read: Read) -> None:
    assert paragraphs(read("bees.txt", "\n".join([*wrapped(BEES), "", *wrapped(DANCE)]))) == [BEES, DANCE]


def test_a_word_parted_at_a_lines_end_is_one_again(read: Read) -> None:
    lines = "\n".join(wrapped(BEES)).replace("workers", "work-\ners")
    assert paragraphs(read("bees.txt", lines)) == [BEES]


def test_short_lines_before_paragraphs_of_a_text_file_are_headings(read: Read) -> None:
    article = read("b.txt", f"All about bees\n\nHow a hive works\n\n{BEES}\n\nWhy do bees dance?\n{DANCE}\n")
    assert article.title == "All about bees"
    assert headings(article) == ["How a hive works", "Why do bees dance?"]


@pytest.mark.parametrize("line", ["Share", "5 min read", "By Jane Miller", "Ends with a stop.", "lower case"])
def test_a_short_line_that_is_no_heading_stays_what_it_is(read: Read, line: str) -> None:
    assert headings(read("b.txt", f"{BEES}\n\n{line}\n\n{DANCE}")) == []


@pytest.mark.parametrize("mark", ["-", "*", "•", "1.", "2)"])
def test_list_items_are_told_from_paragraphs(read: Read, mark: str) -> None:
    article = read("bees.txt", f"{BEES}\n\n{INTRO}\n{mark} the queen\n{mark} the stores\n\n{DANCE}")
    assert texts(article, "item") == ["the queen", "the stores"]
    assert paragraphs(article) == [BEES, INTRO, DANCE]


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(read: Read) -> None:
    assert paragraphs(read("bees.txt", b"\xef\xbb\xbf" + f"{BEES}\r\n\r\n{DANCE}\r\n".encode())) == [BEES, DANCE]


def test_a_text_file_without_a_title_has_none(read: Read) -> None:
    assert read("bees.txt", BEES) == Article(read("bees.txt", BEES).blocks)


def test_a_text_is_tidied_on_to_one_line_without_marks() -> None:
    assert tidy("The\n queen\u00ad\u200b lays.[1, 2] Bees\u2011like [@smith2020]") == "The queen lays. Bees-like"


# Markdown


def test_markdown_loses_its_marks_and_keeps_its_words(read: Read) -> None:
    marked = BEES.replace("queen", "**queen**").replace("eggs", f"[eggs]({BOOK})").replace("hive", "_hive_", 1)
    source = (
        f"---\nlayout: post\n---\nBees\n====\n\n![A bee](bee.png)\n\nHive\n----\n\n{marked}\n\n```\ncode here\n```\n\n"
        f"### Care ###\n\n{INTRO}\n\n- the queen\n- the *stores*\n\n> {DANCE}\n\n| a | b |\n|---|---|\n"
        "<!-- not\nshown -->\n"
    )
    article = read("bees.md", source)
    assert article.title == "Bees"
    assert headings(article) == ["Hive", "Care"]
    assert [text for text in paragraphs(article) if text] == [BEES, INTRO, DANCE]
    assert texts(article, "item") == ["the queen", "the stores"]


# Web pages


PAGE = f"""<!doctype html><html><head><meta charset="utf-8"><title>Bees | Garden</title>
<meta property="og:title" content="All about bees"><meta property="og:site_name" content="Garden Weekly">
<meta property="article:published_time" content="2026-03-01T10:00:00Z"><link rel="canonical" href="{BOOK}">
<style>p {{color: red}}</style></head><body><nav><ul><li>Home of the garden people of the north</li></ul></nav>
<div class="cookie-banner"><p>We would like to store some things. {DANCE}</p></div>
<article><header><h1>All about bees</h1></header><h2>Hive</h2><p>{BEES.replace("queen", "<em>queen</em>")}</p>
<div class="share-buttons"><p>Share {DANCE}</p></div><h2>Care</h2><p>{INTRO}</p>
<ul><li>the queen</li><li><p>the stores</p></li></ul><p hidden>Hidden {WINTER}</p><p>{WINTER}</p>
<aside><p>Aside {DANCE}</p></aside></article>
<footer><p>Footer {DANCE}</p></footer><script>alert("x")</script></body></html>"""


def test_a_web_page_gives_its_article_and_its_record(read: Read) -> None:
    article = read("bees.html", PAGE)
    assert headings(article) == ["Hive", "Care"]
    assert paragraphs(article) == [BEES, INTRO, WINTER]
    assert texts(article, "item") == ["the queen", "the stores"]
    assert (article.title, article.publisher, article.date) == ("All about bees", "Garden Weekly", "2026-03-01")
    assert article.url == BOOK


def test_a_pages_own_title_is_kept_where_its_first_heading_says_something_else(read: Read) -> None:
    article = read("bees.html", PAGE.replace("<h1>All about bees</h1>", ""))
    assert article.title == "All about bees"
    assert headings(article) == ["Hive", "Care"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/bees", "", "ftp://example.org"])
def test_an_address_that_is_no_web_address_is_not_kept(read: Read, address: str) -> None:
    assert read("bees.html", PAGE.replace(f'href="{BOOK}"', f'href="{address}"')).url is None


def test_a_page_of_bare_divs_is_read_by_its_lines(read: Read) -> None:
    page = f"<html><body><div>{BEES}</div><div>{DANCE}<br><br>{WINTER}</div></body></html>"
    assert paragraphs(read("bees.htm", page)) == [BEES, DANCE, WINTER]


def test_a_page_in_the_encoding_that_it_names_is_read(read: Read) -> None:
    page = f'<html><head><meta charset="iso-8859-1"></head><body><p>{BEES} Käfer sind keine Bienen.</p></body></html>'
    assert "Käfer" in paragraphs(read("bees.html", page.encode("latin-1")))[0]


# PDF and Word


def test_lines_of_a_pdf_are_joined_across_pages_without_running_titles(read: Read) -> None:
    hyphenated = BEES.replace("summer", "sum-|mer")
    first = [part for line in wrapped(hyphenated, 70) for part in line.split("|")]
    pages = [
        ["Garden Weekly, page 1", "The life of a hive", *first, *wrapped(DANCE)[:2], "1"],
        ["Garden Weekly, page 2", *wrapped(DANCE)[2:], "Bees in winter", *wrapped(WINTER), "2"],
    ]
    article = read("bees.pdf", pdf(pages))
    text = " ".join(paragraphs(article))
    assert "Garden Weekly" not in text
    assert "summer" in text
    assert DANCE in text
    assert "Bees in winter" in headings(article)


def test_headings_and_lists_of_a_word_file_are_kept(read: Read) -> None:
    content = docx(
        [("Title", "All about bees"), ("Heading 1", "Hive"), ("", BEES), ("", INTRO), ("List Bullet", "the queen"),
         ("List Bullet", "the stores"), ("Heading 1", "Winter"), ("", WINTER)]
    )  # fmt: skip
    article = read("bees.docx", content)
    assert article.title == "All about bees"
    assert headings(article) == ["Hive", "Winter"]
    assert texts(article, "item") == ["the queen", "the stores"]


def test_short_lines_of_a_word_file_without_styles_are_headings(read: Read) -> None:
    content = docx([("", "All about bees"), ("", "Hive"), ("", BEES), ("", "Winter"), ("", WINTER)])
    assert headings(read("b.docx", content)) == ["Hive", "Winter"]


# What cannot be read


def locked(content: bytes) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    writer.encrypt("secret", algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def pictures() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.rtf", b"{}", "'.rtf' is not supported. Use .txt"),
        ("a", b"text", "not supported"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b"GIF89a\0\0\1", "not a text file"),
        ("a.txt", "Die Käfer".encode("latin-1"), "not UTF-8 text. Save it as UTF-8"),
        ("a.txt", BEES.encode("utf-16"), "UTF-16 text. Save it as UTF-8"),
        ("a.md", b"\xff\xd8\xff\xe0\0", "not a text file"),
        ("a.html", "<p>Käfer</p>".encode("latin-1"), "names no other encoding"),
        ("a.html", b"\x89PNG\0\0", "not a web page"),
        ("a.pdf", b"no PDF at all", "cannot be read as a PDF"),
        ("a.pdf", pdf([["A line"]])[:60], "cannot be read as a PDF"),
        ("a.pdf", locked(pdf([["A line of text"]])), "protected by a password. Save a copy without one"),
        ("a.pdf", pictures(), "no text. Run it through text recognition"),
        ("a.docx", b"no Word file", "cannot be read as a Word file"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1", "locked or an old Word file"),
    ],
)
def test_a_file_that_cannot_be_read_names_its_mend(read: Read, name: str, content: bytes, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read(name, content)
    assert problem in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("name", ["gone.txt", "gone.pdf", "folder.txt"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(InputError, match="There is no file"):
        read_article(tmp_path / name)
