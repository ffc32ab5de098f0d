"""The OpenAPI document as one self-contained page: no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5b6675;--line:#dfe4ea;--page:#f7f8fa;--card:#fff;--blue:#1f5fbf;
--green:#187a4b;--red:#b3362b}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#2c3543;--page:#12171e;--card:#1a212b;
--blue:#7db1ff;--green:#62cf9a;--red:#ff8a7d}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 5rem}h1{font-size:2rem;margin:0 0 .5rem}
h2{margin:2.75rem 0 .75rem;font-size:1.25rem}.lead{color:var(--soft)}
details{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:.5rem 0;overflow:hidden}
summary{cursor:pointer;padding:.7rem 1rem;display:flex;gap:.9rem;align-items:baseline;flex-wrap:wrap}
summary:hover{background:color-mix(in srgb,var(--blue) 6%,transparent)}
summary:focus-visible{outline:2px solid var(--blue);outline-offset:-2px}
.verb{font:600 .78rem/1 ui-monospace,monospace;min-width:3.6rem;color:var(--blue)}
.post{color:var(--green)}.delete{color:var(--red)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
.what{color:var(--soft);margin-left:auto}.inside{padding:.25rem 1rem 1rem;border-top:1px solid var(--line)}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.92rem}
th{text-align:left;font-weight:600;color:var(--soft)}
td,th{padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}h3{margin:1rem 0 .25rem;
font-size:.95rem}a{color:var(--blue)}
"""


def page(document: dict[str, Any]) -> str:
    """The whole page as HTML."""
    info = document["info"]
    sections = "".join(_section(document, tag["name"]) for tag in document["tags"])
    shapes = "".join(_shape(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(info["title"])}</title><style>{STYLE}</style>'
        f"</head><body><main><h1>{escape(info['title'])}</h1>{_prose(info['description'])}"
        f'<p><a href="/openapi.json">OpenAPI document</a></p>{sections}<h2>Shapes</h2>{shapes}</main></body></html>'
    )


def _prose(text: str) -> str:
    html = escape(text)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return "".join(f'<p class="lead">{part}</p>' for part in html.split("\n\n"))


def _section(document: dict[str, Any], tag: str) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == [tag]
    )
    return f"<h2>{escape(tag)}</h2>{operations}"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    inside = ""
    if operation["parameters"]:
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td><td>{_type(p['schema'])}</td>"
            f"<td>{escape(p['schema'].get('description', ''))}</td></tr>"
            for p in operation["parameters"]
        )
        inside += f"<h3>Parameters</h3><table>{rows}</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        inside += f"<h3>Body</h3><p>{_type(content['schema'])}</p>"
    answers = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer['description'])}</td><td>"
        + ", ".join(f"{_type(c['schema'])} <code>{escape(kind)}</code>" for kind, c in answer["content"].items())
        + "</td></tr>"
        for status, answer in sorted(operation["responses"].items())
    )
    return (
        f'<details><summary><span class="verb {method}">{method.upper()}</span><code>{escape(path)}</code>'
        f'<span class="what">{escape(operation["summary"])}</span></summary>'
        f'<div class="inside">{inside}<h3>Answers</h3><table>{answers}</table></div></details>'
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kind = schema.get("type", "any")
    return escape(" or ".join(kind) if isinstance(kind, list) else kind)


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(inner)}</td>"
        f"<td>{'' if field in required else 'optional'}</td><td>{escape(inner.get('description', ''))}</td></tr>"
        for field, inner in schema.get("properties", {}).items()
    )
    return (
        f'<details id="{name}"><summary><code>{name}</code></summary><div class="inside"><table>'
        f"<tr><th>member</th><th>type</th><th></th><th>what</th></tr>{rows}</table></div></details>"
    )
