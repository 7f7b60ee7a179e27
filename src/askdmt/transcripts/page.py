"""Transcripts as one self-contained HTML page for those who review them. What visitors wrote is shown as text only."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from askdmt.resources import read_text, read_yaml
from askdmt.transcripts.store import Transcript

_DATA = Path(__file__).parent / "data"


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    introduction: str
    counted: str
    columns: dict[str, str]
    helpful: dict[bool | None, str]
    none: str


def as_html(transcripts: Sequence[Transcript]) -> str:
    """Return the page: a count by decision, and each transcript, the latest first."""
    words = _Words.model_validate(read_yaml(_DATA / "page.yaml"))
    style = read_text(_DATA / "page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    counts = Counter(transcript.decision for transcript in transcripts)
    rows = "".join(_row(transcript, words) for transcript in reversed(transcripts))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in words.columns.values())
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    counted = "".join(f"<li>{escape(decision)}: {count}</li>" for decision, count in counts.most_common())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(words.title)}</title><style>{style}</style>"
        f"</head><body><main><h1>{escape(words.title)}</h1><p>{escape(words.introduction)}</p>"
        f"<h2>{escape(words.counted)}</h2><ul>{counted}</ul>{table if rows else f'<p>{escape(words.none)}</p>'}"
        "</main></body></html>\n"
    )


def _row(transcript: Transcript, words: _Words) -> str:
    cells = {
        "day": transcript.day.isoformat(),
        "channel": transcript.channel,
        "decision": f"{transcript.decision}\n{transcript.rule}",
        "question": transcript.question,
        "body": transcript.body,
        "helpful": words.helpful[transcript.helpful],
        "reply_id": transcript.reply_id,
    }
    return f"<tr>{''.join(f'<td>{escape(cells[name])}</td>' for name in words.columns)}</tr>"
