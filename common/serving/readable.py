"""An answer in a terminal, by the formats that the page at / shows it by.

What was decided stands first, then the text with its parts marked (in colours, or in brackets where
there are none), then lists as tables, and last the times. Of several answers each is a row.
Characters that control a terminal are drawn and not obeyed, since a text may come from anyone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from common import console

if TYPE_CHECKING:
    from rich.text import Text

Values = dict[str, Any]
Schemas = Mapping[str, Mapping[str, Any]]
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")
LONGEST_CELL = 80
MOST_ROWS, AROUND = 20, 160  # of a list; characters shown on both sides of an answer in a passage
HIDDEN = ("model_version", "stage_ms")  # said in the last line
DRAWN = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
DRAWN |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


@dataclass(frozen=True)
class Refused:
    """Why a request was not answered."""

    field: str
    message: str
    remedy: str
    value: Any = None

    @property
    def text(self) -> str:
        """All of it in a line."""
        return f"{self.field}: {self.message}; {self.remedy}"


def as_json(answers: Sequence[Any]) -> None:
    """Print one JSON object an answer; of what was refused, the error as a server tells it."""
    for answer in answers:
        values = {"error": asdict(answer)} if isinstance(answer, Refused) else answer.model_dump()
        console.line(json.dumps(values, ensure_ascii=True, default=str))


def one(asked: Mapping[str, Any], response: BaseModel) -> None:
    """Print a whole answer."""
    answer, schemas = response.model_dump(mode="json"), schemas_of(type(response))
    for name, schema in schemas.items():
        if schema.get("format") == "notice" and answer[name]:
            console.notice(str(schema.get("description", name)))
    _decided(answer, schemas)
    left: list[tuple[str, str]] = []
    for name, value in answer.items():
        kind = schemas[name].get("format")
        if kind in ("verdict", "share", "notice", "mask", "image") or name in HIDDEN:
            continue
        if kind == "spans":
            _marked_text(asked, answer, name, schemas[name])
        elif kind == "beside":
            console.drawn(_text(_source(schemas[name], asked, answer), "dim"))
            console.drawn(_text(str(value), "bold"))
        elif kind == "quotes":
            _quotes(asked, answer, value, schemas[name])
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            _table(value, _items(schemas[name]))
        elif value not in (None, [], {}):
            left.append((_words(name), _cell(value, schemas[name])))
    if left:
        console.grid(("", ""), left)
    times = "   ".join(
        f"{stage} {spent:.1f} ms" for stage, spent in answer.get("stage_ms", {}).items()
    )
    console.drawn(_text(f"{times}   {answer.get('model_version', '')}".strip(), "dim"))


def several(asked: Sequence[Mapping[str, Any]], answers: Sequence[Any]) -> None:
    """Print a row for each answer, beginning with what was asked."""
    first = next(iter(asked[0]))
    told = [answer for answer in answers if isinstance(answer, BaseModel)]
    schemas = schemas_of(type(told[0])) if told else {}
    shown = [
        name
        for name, schema in schemas.items()
        if _fits_a_row(name, schema) and any(getattr(answer, name) is not False for answer in told)
    ]
    rows = []
    for values, answer in zip(asked, answers, strict=True):
        cells = [_shortened(str(values[first]))]
        if isinstance(answer, Refused):
            rows.append([*cells, f"refused: {answer.text}", *[""] * (len(shown) - 1)])
            continue
        content = answer.model_dump(mode="json")
        rows.append([*cells, *(_in_a_row(content[name], schemas[name]) for name in shown)])
    console.grid((_words(first), *(map(_words, shown) if shown else ("answer",))), rows)


def schemas_of(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each field, with what it refers to put in its place."""
    root = model.model_json_schema(mode="serialization")
    return {name: _resolved(schema, root) for name, schema in root.get("properties", {}).items()}


def marked(text: str, spans: Sequence[Mapping[str, Any]], *, coloured: bool) -> Text:
    """Return the text with its spans (`start`, `end`, `label`) in colours, or in brackets."""
    from rich.text import Text

    if coloured:
        found = Text(visible(text))
        for place, span in enumerate(spans):
            found.stylize(f"black on {COLOURS[place % len(COLOURS)]}", span["start"], span["end"])
        return found
    opened: dict[int, str] = defaultdict(str)
    closed: dict[int, str] = defaultdict(str)
    for span in sorted(spans, key=lambda each: (each["start"], -each["end"])):
        close = f" {span['label']}]" if span.get("label") else "]"
        opened[span["start"]] += "["
        closed[span["end"]] = close + closed[span["end"]]  # what opened last closes first
    cuts = sorted({0, len(text), *opened, *closed})
    pieces = [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    parts = (closed[cut] + opened[cut] + piece for cut, piece in zip(cuts, pieces, strict=True))
    return Text(visible("".join(parts)))


def visible(text: str) -> str:
    """Return a text whose control characters are pictures of them, one for one."""
    return text.translate(DRAWN)


def _decided(answer: Values, schemas: Schemas) -> None:
    """Print the verdict and how sure it is, on one line."""
    parts: list[str] = []
    for name, schema in schemas.items():
        if schema.get("format") == "verdict":
            said = answer[name] if answer[name] is not None else schema.get("nothing", "–")
            parts.insert(0, visible(str(said)))
        elif schema.get("format") == "share" and answer[name] is not None:
            parts.append(f"{_words(name)} {_percent(answer[name])}")
    if parts:
        console.drawn(_text("   ".join(parts), "bold"))


def _marked_text(
    asked: Mapping[str, Any], answer: Values, name: str, schema: Mapping[str, Any]
) -> None:
    spans = answer[name]
    text = _source(schema, asked, answer)
    console.drawn(marked(text, spans, coloured=console.has_colours()))
    if spans:
        _table(spans, _items(schema), coloured=console.has_colours())


def _quotes(
    asked: Mapping[str, Any], answer: Values, found: Sequence[Values], schema: Mapping[str, Any]
) -> None:
    """Print each answer with what it is cited by, and its passage around it."""
    parts = _items(schema)
    for item in found:
        passage = item.get("passage") or _source(schema, asked, answer, usual="context")
        begins = item.get("passage_start", 0)
        start, end = item["start"] - begins, item["end"] - begins
        first, last = max(0, start - AROUND), min(len(passage), max(end, 0) + AROUND)
        about = [_cell(item[name], each) for name, each in parts.items() if _is_head(name, each)]
        console.drawn(_text("   ".join(filter(None, about)), "bold"))
        spans = [{"start": start - first, "end": end - first}] if start >= 0 else []
        around = marked(passage[first:last], spans, coloured=console.has_colours())
        console.drawn(around + _text(" …", "dim") if last < len(passage) else around)


def _is_head(name: str, schema: Mapping[str, Any]) -> bool:
    return name == "text" or schema.get("format") in ("share", "title")


def _table(items: Sequence[Values], schemas: Schemas, *, coloured: bool = False) -> None:
    """Print a list of objects; `coloured` gives rows the colours of the parts they stand for."""
    from rich.text import Text

    names = [name for name in items[0] if any(item.get(name) is not None for item in items)]
    rows: list[list[str | Text]] = []
    for place, item in enumerate(items[:MOST_ROWS]):
        cells: list[str | Text] = [_cell(item.get(name), schemas.get(name, {})) for name in names]
        if coloured and "label" in names:
            at = names.index("label")
            cells[at] = Text(str(cells[at]), f"{COLOURS[place % len(COLOURS)]} bold")
        rows.append(cells)
    console.grid([_words(name) for name in names], rows)
    if len(items) > MOST_ROWS:
        console.info(f"… {len(items) - MOST_ROWS:,} more: see --json")


def _fits_a_row(name: str, schema: Mapping[str, Any]) -> bool:
    if name in HIDDEN:
        return False
    return schema.get("type") not in ("array", "object") or schema.get("format") in (
        "spans",
        "quotes",
    )


def _in_a_row(value: Any, schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "notice":
        return "yes" if value else ""
    if schema.get("format") == "spans":
        parts = (f"{span.get('text', '')} ({span.get('label', '')})" for span in value)
        return _shortened(", ".join(parts)) or "–"
    if schema.get("format") == "quotes":
        return _shortened(str(value[0].get("text", ""))) if value else "–"
    if value is None and "nothing" in schema:
        return str(schema["nothing"])
    return _cell(value, schema)


def _cell(value: Any, schema: Mapping[str, Any]) -> str:
    """Return a value as the text of one cell."""
    if value is None:
        return "–"
    if schema.get("format") == "share":
        return _percent(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | dict):
        return _shortened(json.dumps(value, ensure_ascii=False))
    return _shortened(str(value))


def _percent(share: float) -> str:
    """Write a share so that a trace is not 0 and almost all is not 1."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def _source(
    schema: Mapping[str, Any], asked: Mapping[str, Any], answer: Values, usual: str = "text"
) -> str:
    """Return the text that a field of the answer is about."""
    name = str(schema.get("over", usual))
    return str(asked.get(name) or answer.get(name) or "")


def _items(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = schema.get("items", {}).get("properties", {})
    return found


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with its references, those of its items too, replaced by what they name."""
    own = dict(schema)
    if "$ref" in own:
        own = {**root["$defs"][own.pop("$ref").rpartition("/")[2]], **own}
    options = [each for each in own.get("anyOf", ()) if each.get("type") != "null"]
    if len(options) == 1:
        own = {**_resolved(options[0], root), **{k: v for k, v in own.items() if k != "anyOf"}}
    if "items" in own:
        item = _resolved(own["items"], root)
        parts = item.get("properties", {})
        item["properties"] = {name: _resolved(part, root) for name, part in parts.items()}
        own["items"] = item
    return own


def _text(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(visible(text), style)


def _shortened(text: str) -> str:
    text = visible(" ".join(text.split()))
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _words(name: str) -> str:
    return name.replace("_", " ")
