"""The page's HTML. Everything that comes from a visitor, a reply or a file is escaped; no text stands here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from askdmt.reply import Citation, Reply, SupportLine
from askdmt.web.chat import Turn, View
from askdmt.wording import Wording, load_wording

_DIALLED = re.compile(r"\+?[\d ()-]{2,}")
_ADDRESS = re.compile(r"(?:https?://)?([\w-]+(?:\.[\w-]+)+(?:/[\w./-]*)?)")
_REFERENCE = re.compile(r"\s?\[(\d+)\]")


def header(wording: Wording, *, draft: bool, failed: Reply) -> str:
    """Return title, notice and, where `draft`, the note that nobody has signed the content.

    `failed` is what the page's script shows when a message cannot be sent.
    """
    page = wording.page
    draft_note = f'<p class="draft">{escape(page.draft_notice)}</p>' if draft else ""
    unsent = escape(f"{failed.body}\n\n{failed.disclaimer}")
    return (
        f'<header data-unsent="{unsent}" data-title="{escape(page.title)}">'
        f'<a class="skip" href="#askdmt-box">{escape(page.skip)}</a>'
        f'<h1>{escape(page.title)}</h1><p class="tagline">{escape(page.tagline)}</p>'
        f'<div class="notice"><p>{escape(page.notice)}</p>{draft_note}</div></header>'
    )


def help_heading(wording: Wording) -> str:
    """Return the heading of the help panel."""
    return f'<h2 id="help">{escape(wording.page.help_heading)}</h2>'


def region_choice(regions: Mapping[str, str], chosen: str, wording: Wording) -> str:
    """Return the choice of the region, from keys to names."""
    options = "".join(
        f'<option value="{escape(key)}"{" selected" if key == chosen else ""}>{escape(name)}</option>'
        for key, name in regions.items()
    )
    label = f'<label for="region">{escape(wording.page.region_label)}</label>'
    return f'{label}<select id="region" autocomplete="off">{options}</select>'


def help_lines(lines: Sequence[SupportLine], wording: Wording) -> str:
    """Return help lines as a list with links that dial, text or open a chat."""
    own = lines[0].region if lines else ""
    items = "".join(_support_line(line, wording, elsewhere=line.region != own) for line in lines)
    return f'<ul role="list" class="support">{items}</ul>'


def conversation(view: View, wording: Wording, *, feedback: bool = False) -> str:
    """Return all turns as a list of articles, with the question that is being answered at the end.

    Where `feedback` is wanted, each answer asks whether it helped.
    """
    page = wording.page
    items = [
        item
        for turn in view.turns
        for item in (_question(turn.question, page.you), _answer(turn, wording, feedback=feedback))
    ]
    if view.pending:
        items += [_question(view.pending, page.you), _working(view.written, wording)]
    if not items:
        return ""
    language = view.last_reply.language if view.last_reply else wording.language
    title = escape(page.download_title)
    return (
        f'<h2 class="unseen">{escape(page.conversation_label)}</h2>'
        f'<ol role="list" class="turns" data-title="{title}" data-language="{escape(language)}" '
        f'data-you="{escape(page.you)}" data-assistant="{escape(page.assistant)}">{"".join(items)}</ol>'
    )


def status(view: View) -> str:
    """Return the one line that screen readers announce: a notice, or the finished answer, once."""
    reply = view.last_reply
    if reply is None or view.notice:
        seen = "status unseen" if view.pending else "status"  # while an answer is looked for, the conversation shows it
        return f'<p role="status" class="{seen}">{escape(view.notice)}</p>'
    wording = load_wording(reply.language)
    spoken = [reply.body, *map(wording.support_label, reply.support), reply.disclaimer]
    return f'<p role="status" class="status unseen" lang="{escape(reply.language)}">{escape(" ".join(spoken))}</p>'


def examples_heading(wording: Wording) -> str:
    """Return the heading over the questions that can be picked."""
    return f"<h2>{escape(wording.page.examples_label)}</h2>"


def help_link(wording: Wording) -> str:
    """Return the link that leads back to the help panel on small screens."""
    return f'<a class="to-help" href="#help">{escape(wording.page.help_heading)}</a>'


def waiting(reply: Reply, wording: Wording) -> str:
    """Return what is shown while the server starts: what is going on, the help lines and the disclaimer."""
    text = f"<h1>{escape(wording.page.title)}</h1><p>{escape(reply.body)}</p>"
    lines = f"{help_heading(wording)}{help_lines(reply.support, wording)}"
    return f'<main class="waiting">{text}{lines}<p class="disclaimer">{escape(reply.disclaimer)}</p></main>'


def without_scripts(wording: Wording, lines: Sequence[SupportLine]) -> str:
    """Return what a browser without scripts shows: the notice and the help lines."""
    page = wording.page
    text = f"<h1>{escape(page.title)}</h1><p>{escape(page.notice)}</p>"
    return f"<noscript>{text}{help_heading(wording)}{help_lines(lines, wording)}</noscript>"


# Parts of a turn


def _question(text: str, speaker: str) -> str:
    return (
        f'<li><article class="question" data-text="{escape(text)}"><h3>{escape(speaker)}</h3>'
        f'<p dir="auto">{escape(text)}</p></article></li>'
    )


def _working(written: str, wording: Wording) -> str:
    paragraphs = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in written.split("\n\n") if paragraph.strip())
    return (
        f'<li><article class="answer working"><h3>{escape(wording.page.assistant)}</h3>{paragraphs}'
        f'<p>{escape(wording.page.working)}<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span></p>'
        "</article></li>"
    )


def _answer(turn: Turn, page_wording: Wording, *, feedback: bool) -> str:
    reply = turn.reply
    wording = load_wording(reply.language)
    parts = [
        f"<h3>{escape(page_wording.page.assistant)}</h3>",
        f'<div class="body">{_body(reply)}</div>',
        _sources(reply, wording),
        _reply_lines(reply, wording),
        f'<p class="disclaimer">{escape(reply.disclaimer)}</p>',
        _vote(reply, wording) if feedback else "",
    ]
    danger = " danger" if reply.decision.is_danger else ""
    return (
        f'<li><article class="answer{danger}" lang="{escape(reply.language)}" dir="{wording.direction}" '
        f'data-decision="{reply.decision.value}" data-text="{escape(reply.text)}">{"".join(parts)}</article></li>'
    )


def _body(reply: Reply) -> str:
    """Return the body's paragraphs; each [n] that has a citation leads to its passage."""
    numbers = {citation.n for citation in reply.citations}

    def reference(found: re.Match[str]) -> str:
        n = int(found[1])
        link = f'&nbsp;<a class="cite" href="#{_passage_id(reply, n)}">[{n}]</a>'  # never alone on a line
        return link if n in numbers else found[0]

    paragraphs = [paragraph for paragraph in reply.body.split("\n\n") if paragraph.strip()]
    return "".join(f"<p>{_REFERENCE.sub(reference, escape(paragraph))}</p>" for paragraph in paragraphs)


def _sources(reply: Reply, wording: Wording) -> str:
    if not reply.citations:
        return ""
    items = "".join(_source(reply, citation, wording) for citation in reply.citations)
    heading = f"<h4>{escape(wording.page.sources_heading)}</h4>"
    return f'<section class="sources">{heading}<ul role="list">{items}</ul></section>'


def _source(reply: Reply, citation: Citation, wording: Wording) -> str:
    source = f"{escape(wording.citations.source)}: "
    if citation.url.startswith(("https://", "http://")):
        first, sign, others = citation.source.partition("; ")  # the address is that of the first source named
        source += _outside(citation.url, first, wording) + escape(sign + others)
    else:
        source += escape(citation.source)
    return (
        f'<li><details id="{_passage_id(reply, citation.n)}"><summary><span class="n">{citation.n}</span>'
        f'<span class="name">{escape(citation.title)} <span class="show">{escape(wording.citations.show)}</span></span>'
        f'<span class="review">{escape(wording.review_label(citation))}</span></summary>'
        f'<blockquote><p>{escape(citation.passage)}</p></blockquote><p class="source">{source}</p></details></li>'
    )


def _reply_lines(reply: Reply, wording: Wording) -> str:
    if not reply.support:
        return ""
    heading = f"<h4>{escape(wording.support.heading)}</h4>"
    return f'<section class="lines">{heading}{help_lines(reply.support, wording)}</section>'


def _vote(reply: Reply, wording: Wording) -> str:
    """Return the question whether a reply helped; somebody in danger is not asked."""
    if reply.decision.is_danger:
        return ""
    words, name = wording.feedback, f"vote-{escape(reply.id)}"
    buttons = "".join(
        f'<button type="button" data-helpful="{value}" aria-describedby="{name}">{escape(label)}</button>'
        for value, label in (("true", words.helpful), ("false", words.unhelpful))
    )
    return (
        f'<div class="vote" data-reply="{escape(reply.id)}" data-thanks="{escape(words.thanks)}">'
        f'<p id="{name}">{escape(words.question)}</p>{buttons}</div>'
    )


def _support_line(line: SupportLine, wording: Wording, *, elsewhere: bool) -> str:
    words = wording.support
    calls = line.call.split(words.alternative) if line.call else []
    ways = [_way(words.call.format(number=number), number, "tel") for number in calls]
    ways += [_way(words.text.format(number=line.text), line.text, "sms")] if line.text else []
    ways += [_chat(words.chat, line.chat, wording)] if line.chat else []
    about = [line.region] if elsewhere else []
    about += [words.hours.format(hours=line.hours)] if line.hours else []
    hours = f'<span class="hours">{escape("; ".join(about))}</span>' if about else ""
    name = f'<span class="line-name">{escape(line.name)}</span>'
    return f'<li>{name}<span class="ways">{"".join(ways)}</span>{hours}</li>'


def _way(label: str, number: str, scheme: str) -> str:
    """Return a link that dials or texts, or plain text where the number cannot be dialled as it stands."""
    if not _DIALLED.fullmatch(number):
        return f'<span class="way">{escape(label)}</span>'
    digits = re.sub(r"[^\d+]", "", number)
    return f'<a class="way" href="{scheme}:{digits}">{escape(label)}</a>'


def _chat(template: str, address: str, wording: Wording) -> str:
    label = template.format(address=address)
    found = _ADDRESS.fullmatch(address)
    if not found:
        return f'<span class="way">{escape(label)}</span>'
    return _outside(f"https://{found[1]}", label, wording, css="way")


def _outside(url: str, label: str, wording: Wording, css: str = "outside") -> str:
    return (
        f'<a class="{css}" href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(label)}'
        f'<span class="unseen"> ({escape(wording.page.new_tab)})</span></a>'
    )


def _passage_id(reply: Reply, n: int) -> str:
    return f"passage-{escape(reply.id)}-{n}"
