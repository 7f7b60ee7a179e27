"""The chat page: Gradio's controls around our own HTML."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from askdmt.web import markup
from askdmt.web.chat import Chat, Turn, View
from askdmt.web.replies import Replies

_MOST_EXAMPLES = 5  # buttons for questions that can be picked
_AT_ONCE, _AT_ONCE_WITH_MODEL = 8, 32  # visitors answered at the same time; the assistant has as many workers
_WAITING = 64  # visitors that may wait for their turn
_FORGET_IDLE_AFTER = 3600  # seconds after which a conversation that nobody goes on with is dropped from memory
FORGET_CLOSED_AFTER = 300  # the same once its page is gone; a phone that only slept may be back before that

# Gradio's dropdown stays open when the Tab key leaves it, so the region is a browser's own <select>.
_ON_CHOICE = "element.addEventListener('change', event => { props.value = event.target.value })"
_TEMPLATE_SIGNS = re.compile(r"[`$\\{}]")

Update = list[Any]


def build_page(replies: Replies) -> Any:
    """Return the page as Gradio Blocks; the conversation lives in the visitor's session only."""
    import gradio as gr

    chat, desk, assistant = Chat(replies), replies.desk, replies.source.current
    assert assistant
    wording, words = chat.wording, chat.wording.page
    draft = not all(section.signed for section in assistant.knowledge.sections)
    regions = {key: region.name for key, region in desk.support.regions.items()}
    start = chat.known_region(replies.settings.region.lower())

    def html(value: str, name: str) -> Any:
        return gr.HTML(value, elem_id=name, apply_default_css=False, js_on_load=None)

    def panel(region: str) -> str:
        return markup.help_lines(desk.lines(chat.known_region(region)), wording)

    with gr.Blocks(title=words.title, analytics_enabled=False, fill_width=True) as page:
        turns = gr.State((), time_to_live=_FORGET_IDLE_AFTER)
        pending = gr.State("", time_to_live=_FORGET_IDLE_AFTER)
        with gr.Row(elem_id="askdmt-columns"):
            html(markup.header(wording, draft=draft, failed=desk.reply("error")), "askdmt-header")
            with gr.Column(elem_id="askdmt-help"):
                html(markup.help_heading(wording), "askdmt-help-heading")
                region = gr.HTML(
                    start, html_template=_as_template(markup.region_choice(regions, start, wording)),
                    js_on_load=_ON_CHOICE, apply_default_css=False, elem_id="askdmt-region",
                )  # fmt: skip
                lines = html(panel(start), "askdmt-lines")
            with gr.Column(elem_id="askdmt-chat"):
                conversation = html("", "askdmt-conversation")
                with gr.Row(visible=False, elem_id="askdmt-tools") as tools:
                    clear = gr.Button(words.clear, elem_id="askdmt-clear")
                    gr.Button(words.download, elem_id="askdmt-download")  # the page's script makes the file
                with gr.Column(elem_id="askdmt-examples") as examples:
                    html(markup.examples_heading(wording), "askdmt-examples-heading")
                    offered = [*wording.suggestions.default, *[""] * _MOST_EXAMPLES][:_MOST_EXAMPLES]
                    buttons = [gr.Button(text, visible=bool(text), elem_classes="example") for text in offered]
                with gr.Column(elem_id="askdmt-composer"):
                    status = html(markup.status(View()), "askdmt-status")
                    html(markup.help_link(wording), "askdmt-to-help")
                    box = gr.Textbox(
                        label=words.message_label, placeholder=words.message_placeholder, lines=1, max_lines=6,
                        elem_id="askdmt-box",
                        html_attributes=gr.InputHTMLAttributes(enterkeyhint="send", autocomplete="off"),
                    )  # fmt: skip
                    send = gr.Button(words.send, variant="primary", elem_id="askdmt-send")
                    stop = gr.Button(words.stop, visible=False, elem_id="askdmt-stop")

        shown = [turns, pending, conversation, status, send, stop, tools, examples, *buttons]

        def show(view: View) -> Update:
            """Return the new state of everything in `shown`."""
            suggestions = chat.suggestions(view)
            return [
                view.turns,
                view.pending,
                markup.conversation(view, wording, feedback=replies.settings.feedback),
                markup.status(view),
                gr.update(visible=not view.pending),
                gr.update(visible=bool(view.pending)),
                gr.update(visible=bool(view.turns)),
                gr.update(visible=bool(suggestions)),
                *(
                    gr.update(value=suggestions[i], visible=True) if i < len(suggestions) else gr.update(visible=False)
                    for i in range(_MOST_EXAMPLES)
                ),
            ]

        async def ask(question: str, turns: tuple[Turn, ...], region: str, request: Any) -> AsyncIterator[Update]:
            async for view in chat.ask(question or "", turns, region, request.client.host):
                begun = view.pending and not view.written  # later, a visitor may be typing the next question
                yield [gr.update(value="") if begun else gr.skip(), *show(view)]

        async def ask_example(
            question: str, turns: tuple[Turn, ...], region: str, request: Any
        ) -> AsyncIterator[Update]:
            async for view in chat.ask(question, turns, region, request.client.host):
                yield show(view)

        def stopped(turns: tuple[Turn, ...], pending: str, typed: str) -> Update:
            return [gr.skip() if typed else gr.update(value=pending), *show(chat.stop(turns))]

        def closed(request: Any) -> None:
            what = [page.state_holder, request.session_hash, datetime.now()]
            timer = threading.Timer(FORGET_CLOSED_AFTER, _forget, what)
            timer.daemon = True
            timer.start()

        for told_who_asks in (ask, ask_example, closed):
            told_who_asks.__annotations__["request"] = gr.Request  # by which Gradio knows to hand it in

        private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        at_once = _AT_ONCE_WITH_MODEL if replies.settings.llm else _AT_ONCE
        asking: dict[str, Any] = {"concurrency_limit": at_once, "concurrency_id": "ask", **private}
        events = [gr.on([box.submit, send.click], ask, [box, turns, region], [box, *shown], **asking)]
        events += [button.click(ask_example, [button, turns, region], shown, **asking) for button in buttons]
        stop.click(stopped, [turns, pending, box], [box, *shown], cancels=events, **private)
        clear.click(lambda: show(chat.clear()), None, shown, cancels=events, **private)
        region.change(panel, region, lines, **private)

        page.unload(closed)

    page.queue(max_size=_WAITING, api_open=False)
    return page


def _forget(states: Any, session: str, closed_at: datetime) -> None:
    """Drop a closed page's conversation unless it was used again; Gradio by itself would keep it for an hour."""
    if (last := states.time_last_used.get(session)) and last > closed_at:
        return
    states.session_data.pop(session, None)
    states.time_last_used.pop(session, None)


def _as_template(html: str) -> str:
    """Return HTML that Gradio's template language leaves as it is."""
    return _TEMPLATE_SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", html)
