"""The page at `/docs`: the OpenAPI document as plain HTML, with no script and nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def reference_page(document: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document: every operation with its example and answers, then every type."""
    title = escape(document["info"]["title"])
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    types = "".join(_type(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="page/reference.css"></head>'
        f"<body><main><h1>{title}</h1>{_paragraphs(document['info'].get('description', ''))}"
        f'<p><a href="openapi.json">openapi.json</a></p>{operations}<h2>Types</h2>{types}</main></body></html>'
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>",
        _paragraphs(operation.get("description", "")),
    ]
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        parts.append(f"<p>Body: {_shown(schema)}</p>")
    rows = [
        (status, escape(answer["description"]), _answer(answer)) for status, answer in operation["responses"].items()
    ]
    return "".join([*parts, _table(("status", "meaning", "body"), rows), "</section>"])


def _answer(answer: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{escape(kind)} {_shown(content.get('schema', {}))}" for kind, content in answer.get("content", {}).items()
    )


def _type(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (f"<code>{escape(field)}</code>{' (required)' if field in required else ''}", _shown(about), _said(about))
        for field, about in schema.get("properties", {}).items()
    ]
    choices = f"<p>{escape(', '.join(schema['enum']))}</p>" if "enum" in schema else ""
    examples = "".join(
        f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>"
        for example in schema.get("examples", ())
    )
    table = _table(("field", "type", "meaning"), rows) if rows else ""
    return f'<section id="{escape(name)}"><h3>{escape(name)}</h3>{_said(schema)}{choices}{table}{examples}</section>'


def _shown(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words, with links to the types it names."""
    return " or ".join(dict.fromkeys(_words(schema)))


def _words(schema: Mapping[str, Any]) -> Iterator[str]:
    if name := str(schema.get("$ref", "")).rpartition("/")[2]:
        yield f'<a href="#{escape(name)}">{escape(name)}</a>'
    elif "anyOf" in schema:
        for choice in schema["anyOf"]:
            yield from _words(choice)
    elif schema.get("type") == "array":
        yield f"list of {_shown(schema.get('items', {}))}"
    elif "enum" in schema or "const" in schema:
        yield escape(", ".join(map(repr, schema.get("enum") or [schema["const"]])))
    elif "properties" in schema:
        yield escape(schema["title"])
    else:
        yield escape(str(schema.get("format") or schema.get("type", "")))


def _said(schema: Mapping[str, Any]) -> str:
    return _paragraphs(schema.get("description", "").partition("\n\nRaises:")[0])


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
