"""The embed: a small page of our own for an iframe, and the script that puts it on a clinic's website.

`embed.js` puts a button on the clinic's page. The button opens `/embed`, which the browser shows only inside pages of
the settings' `allowed_origins` and of this server. The page asks `POST /api/reply`, and keeps the conversation in its
memory; another origin's script cannot reach into it.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rjsmin
from fastapi import APIRouter, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from askdmt.web import markup
from askdmt.wording import Wording, languages, load_wording

if TYPE_CHECKING:
    from askdmt.settings import Settings
    from askdmt.web.problems import HelpDesk
    from askdmt.web.warming import AssistantSource

_FILES = Path(__file__).parent / "embed"
_TYPES = {"page.css": "text/css", "page.js": "text/javascript"}
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "cross-origin-resource-policy": "cross-origin",  # pages of other origins load the script and show the page
    "cross-origin-embedder-policy": "require-corp",
    "vary": "accept-encoding",
}
# Trusted types: even a slip of ours could not turn text into markup.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors {ancestors}; require-trusted-types-for 'script'; trusted-types 'none'"
)
_REPLY_WORDS = ("reviewed", "draft", "show", "source")
_SUPPORT_WORDS = ("heading", "call", "text", "chat", "hours", "alternative")
_PROBLEMS = ("rate_limited", "starting", "busy", "timeout", "error")
_SITE = "const SITE = {};"
_READING = ["GET", "HEAD"]


def embed_router(settings: Settings, desk: HelpDesk, source: AssistantSource) -> APIRouter:
    """Return the routes of the page, its files and the script; none needs an assistant that is loaded already."""
    return _Embed(settings, desk, source).router


class _Embed:
    def __init__(self, settings: Settings, desk: HelpDesk, source: AssistantSource) -> None:
        self.settings = settings
        self.desk = desk
        self.source = source
        self.policy = _POLICY.format(ancestors=" ".join(["'self'", *settings.allowed_origins]))
        jinja = Environment(loader=FileSystemLoader(_FILES), autoescape=True, undefined=StrictUndefined)
        self.template = jinja.get_template("page.html")
        self.files = {name: (_FILES / name).read_text(encoding="utf-8") for name in _TYPES}
        self.loader = self._loader()
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/embed", self.page, methods=_READING)
        self.router.add_api_route("/embed.js", self.script, methods=_READING)
        self.router.add_api_route("/embed/lines", self.lines, methods=_READING)
        self.router.add_api_route("/embed/{name}", self.file, methods=_READING)

    def page(self, request: Request, language: str = "", region: str = "") -> Response:
        """The page, in a language and with the help lines of a region; an unknown one gives the operator's."""
        wording = self._wording(language)
        return self._response(request, self._render(wording, self._region(region)), "text/html")

    def script(self, request: Request) -> Response:
        """What a clinic puts on its website."""
        return self._response(request, self.loader, "text/javascript")

    def lines(self, request: Request, language: str = "", region: str = "") -> Response:
        """Help lines of a region, as in a reply's `support`."""
        lines = self.desk.support.lines(self._region(region), self._wording(language).support)
        return self._response(request, _json({"lines": [asdict(line) for line in lines]}), "application/json")

    def file(self, request: Request, name: str) -> Response:
        """Style or script of the page."""
        if name not in self.files:
            return self._response(request, "", "text/plain", status=404)
        return self._response(request, self.files[name], _TYPES[name])

    def _wording(self, language: str) -> Wording:
        known = language.lower().split("-")[0]
        offered = self.settings.languages or languages()
        return load_wording(known if known in offered else self.settings.language)

    def _region(self, region: str) -> str:
        return region.lower() if region.lower() in self.desk.support.regions else self.settings.region.lower()

    def _render(self, wording: Wording, region: str) -> str:
        sections = self.source.current.knowledge.sections if self.source.current else ()
        names = {key: known.name for key, known in self.desk.support.regions.items()}
        return self.template.render(
            wording=wording,
            page=wording.page,
            embed=wording.embed,
            title=self.settings.title or wording.page.title,
            greeting=self.settings.greeting or wording.page.tagline,
            draft=not (sections and all(section.signed for section in sections)),
            overdue=any(section.overdue(date.today()) for section in sections),
            region_choice=Markup(markup.region_choice(names, region, wording)),  # noqa: S704
            help_lines=Markup(markup.help_lines(self.desk.support.lines(region, wording.support), wording)),  # noqa: S704
            site=self._site(wording, region),
        )

    def _site(self, wording: Wording, region: str) -> dict[str, Any]:
        """Return what the page's script has to know."""
        page, embed, replies = wording.page, wording.embed, wording.replies
        return {
            "region": region,
            "colour": self.settings.colour,
            "origins": self.settings.allowed_origins,
            "characters": self.settings.max_characters,
            "messages": self.settings.max_messages,
            "bytes": self.settings.max_body_bytes,
            "feedback": self.settings.feedback,
            "examples": wording.suggestions.default,
            "page": {
                **{name: getattr(page, name) for name in ("assistant", "you", "working", "stopped", "cleared")},
                "retry": embed.retry,
                "disclaimer": wording.disclaimer,
            },
            "problems": {
                "lost": embed.lost,
                "too_long": replies.too_long.format(limit=self.settings.max_characters),
                **{name: getattr(replies, name) for name in _PROBLEMS},
            },
            "replies": {language: self._reply_words(load_wording(language)) for language in languages()},
        }

    def _loader(self) -> str:
        """Return the script with the texts and the operator's looks, without comments."""
        own = load_wording(self.settings.language)
        offered = {language: load_wording(language).embed for language in self.settings.languages or languages()}
        offered.setdefault(own.language, own.embed)
        site = {
            "title": self.settings.title or own.page.title,
            "language": own.language,
            **({"colour": self.settings.colour} if self.settings.colour else {}),
            "words": {key: [embed.launcher, embed.loading, embed.unavailable] for key, embed in offered.items()},
        }
        source = (_FILES / "embed.js").read_text(encoding="utf-8")
        return str(rjsmin.jsmin(source.replace(_SITE, f"const SITE = {_json(site)};", 1)))

    def _reply_words(self, wording: Wording) -> dict[str, str]:
        """Return the words around a reply, which may be in another language than the page."""
        return {
            "direction": wording.direction,
            "sources": wording.page.sources_heading,
            "new_tab": wording.page.new_tab,
            **{name: getattr(wording.citations, name) for name in _REPLY_WORDS},
            **{name: getattr(wording.support, name) for name in _SUPPORT_WORDS},
            **(wording.feedback.model_dump() if self.settings.feedback else {}),
        }

    def _response(self, request: Request, text: str, kind: str, status: int = 200) -> Response:
        headers = {**_HEADERS, "content-security-policy": self.policy}
        content = text.encode()
        if re.search(r"\bgzip\b", request.headers.get("accept-encoding", "")):
            content, headers["content-encoding"] = gzip.compress(content), "gzip"
        return Response(content, status, headers, f"{kind}; charset=utf-8")


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
