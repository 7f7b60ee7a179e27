"""What is said where no reply can be given: RFC 9457 problem details, with help lines and the disclaimer in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from askdmt.decisions import Decision
from askdmt.errors import InputError, SettingsError
from askdmt.knowledge.sections import SUPPORT_FILE
from askdmt.reply import Reply, SupportLine
from askdmt.resources import content_folder
from askdmt.support import SupportDirectory, load_support
from askdmt.web.asgi import route_path
from askdmt.web.warming import AssistantSource
from askdmt.wording import Wording, load_wording

if TYPE_CHECKING:
    from askdmt.settings import Settings

Reason = Literal["starting", "busy", "rate_limited", "too_long", "timeout", "error"]

MEDIA_TYPE = "application/problem+json"
_TYPES = "urn:askdmt:problem:"  # names, not addresses: the API's page says what each means
STATUS: dict[Reason, int] = {
    "starting": 503, "busy": 503, "rate_limited": 429, "too_long": 413, "timeout": 408, "error": 500,
}  # fmt: skip
_NOT_JSON = "The body is not JSON. Send a JSON object with the content type application/json."
_MOST_SHOWN = 60  # characters of a field's name that an error repeats
_OPENAI_TYPES = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class Problem(BaseModel):
    """An error as RFC 9457 has it; `detail` is for the person who asked, and so are the two fields after it."""

    type: str
    title: str
    status: int
    detail: str
    disclaimer: str
    support: list[SupportLine]


PROBLEM_SCHEMA = {
    key: value
    for key, value in Problem.model_json_schema(ref_template="#/components/schemas/{model}").items()
    if key != "$defs"  # a help line is described with the reply
}


class Unavailable(Exception):  # noqa: N818
    """No reply can be given now; `reason` names the text in prompts/, `seconds` says when to come back."""

    def __init__(self, reason: Reason, seconds: int = 0, region: str | None = None) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.seconds = seconds
        self.region = region


class HelpDesk:
    """Says what can be said without an assistant: fixed texts, help lines, the disclaimer."""

    def __init__(self, settings: Settings, source: AssistantSource) -> None:
        """Read the help lines.

        Raises:
            AskDMTError: they or the texts cannot be read, or the region is unknown; names the mend.
        """
        self.settings = settings
        self._source = source
        self._first = self._read_support()
        self.support.region(settings.region)

    @property
    def support(self) -> SupportDirectory:
        """The help lines of the assistant in use, or of the files while there is none."""
        return self._source.current.support if self._source.current else self._first

    @property
    def wording(self) -> Wording:
        """The texts in the operator's language, with the operator's title and greeting."""
        return load_wording(self.settings.language).with_page(self.settings.title, self.settings.greeting)

    def lines(self, region: str | None = None) -> tuple[SupportLine, ...]:
        """Return the help lines of a region, or of the operator's."""
        return self.support.lines(region or self.settings.region, self.wording.support)

    def reply(self, reason: Reason, *, seconds: int = 0, region: str | None = None) -> Reply:
        """Return a fixed text as a whole reply with help lines."""
        wording = self.wording
        text = getattr(wording.replies, reason).format(seconds=seconds, limit=self.settings.max_characters)
        return wording.reply(Decision.NOT_IN_SOURCES, text, support=self.lines(region))

    def problem(self, status: int, kind: str, detail: str, region: str | None = None) -> dict[str, Any]:
        """Return problem details with help lines and the disclaimer."""
        return {
            "type": f"{_TYPES}{kind.replace('_', '-')}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "disclaimer": self.wording.disclaimer,
            "support": [asdict(line) for line in self.lines(region)],
        }

    def unavailable(self, reason: Reason, *, seconds: int = 0, region: str | None = None) -> dict[str, Any]:
        """Return problem details whose `detail` is a fixed text."""
        body = self.reply(reason, seconds=seconds, region=region).body
        return self.problem(STATUS[reason], reason, body, region)

    def _read_support(self) -> SupportDirectory:
        shipped = content_folder("knowledge") / SUPPORT_FILE
        own = (self.settings.knowledge or shipped.parent) / SUPPORT_FILE
        return load_support(own if own.is_file() else shipped)


def as_response(problem: Mapping[str, Any], path: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return problem details as a response; below `/v1` with OpenAI's `error` object beside them."""
    content = dict(problem)
    if path.startswith("/v1/"):
        kind = _OPENAI_TYPES.get(problem["status"], "invalid_request_error")
        code = problem["type"].removeprefix(_TYPES).replace("-", "_")
        content["error"] = {"message": problem["detail"], "type": kind, "param": None, "code": code}
    return JSONResponse(content, problem["status"], headers=dict(headers or {}), media_type=MEDIA_TYPE)


def add_problems(app: FastAPI, desk: HelpDesk) -> None:
    """Let every error of a route be told as a problem. None quotes what a visitor wrote."""

    def unavailable(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Unavailable)
        problem = desk.unavailable(error.reason, seconds=error.seconds, region=error.region)
        headers = {"Retry-After": str(error.seconds)} if error.seconds else {}
        return as_response(problem, route_path(request.scope), headers)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return as_response(desk.problem(422, "invalid", _explain(error.errors())), route_path(request.scope))

    def refused(request: Request, error: Exception) -> JSONResponse:
        return as_response(desk.problem(422, "invalid", str(error)), route_path(request.scope))

    def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's for a body that is not even text
            return as_response(desk.problem(422, "invalid", _NOT_JSON), route_path(request.scope))
        kind = HTTPStatus(error.status_code).name.lower()
        return as_response(
            desk.problem(error.status_code, kind, error.detail), route_path(request.scope), error.headers
        )

    app.add_exception_handler(Unavailable, unavailable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(InputError, refused)
    app.add_exception_handler(SettingsError, refused)
    app.add_exception_handler(HTTPException, http)


def _explain(errors: Sequence[Any]) -> str:
    """Return the first error of a request as one sentence, without the input."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "json_invalid":
        return _NOT_JSON
    shown = place.encode("ascii", "replace").decode()[:_MOST_SHOWN]
    return f"{shown or 'The body'}: {first['msg']}. The fields are described at /docs."
