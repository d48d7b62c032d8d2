"""Ask a trained run without a server: `python -m patterns.nlp.predict ner "Anna lives in Graz"`.

The run is opened and asked as a server would, so the answer is the same, and so is what is refused.
A text fills the first field that the service's `Request` requires; every other field is a flag:
`--context "…"`. Several texts, `--file`, or `-` for the lines of the input, are answered in
batches: a line that is refused is told in its place, and the others are answered.

An image is named by the path of its file.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, make_dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from common import config as command
from common.serving import readable
from common.serving.readable import Refused, Values
from common.serving.service import RequestError, Service

INPUT = "-"


@dataclass(frozen=True)
class AskConfig(command.CheckedConfig):
    """Flags beside the fields of a request."""

    run: str = "latest"
    """`latest`, `production`, or the folder of a run."""
    runs: Path = Path("runs")
    """Folder that holds the runs."""
    file: Path | None = None
    """Text file with one request a line; `-` in place of a text reads such lines from the input."""
    json: bool = False
    """One JSON object an answer, one a line, in place of tables."""


def service_of(package: str) -> type[Service]:
    """Return the service that `<package>.serve` defines; its `name` is where its runs are."""
    module = import_module(f"{package}.serve")
    kinds = [each for each in vars(module).values() if isinstance(each, type)]
    (found,) = (
        kind for kind in kinds if issubclass(kind, Service) and kind.__module__ == module.__name__
    )
    return found


def ask_main(package: str) -> None:
    """Run the predict command of a task; `package` has its `serve` module."""
    kind = service_of(package)
    about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    description = f"Ask a trained run without a server. {about}"
    command.run(partial(ask, kind), {"default": flags_of(kind)()}, description=description)


def ask(kind: type[Service], config: AskConfig) -> None:
    """Open the run that the flags name, ask it, and print the answers."""
    from common import artifacts
    from common.serving.worker import limit_threads

    typed, schemas = _typed(kind, config), readable.schemas_of(kind.Request)
    wanted = [_converted(each, schemas) for each in typed]
    if len(wanted) == 1:
        _check(kind, wanted[0])  # before a model is loaded for it
    limit_threads(1)
    make: Any = kind
    run = artifacts.open_run(config.run, name=kind.name, runs=config.runs)
    service: Service = make(run)
    refused = 0
    for start, answers in _in_batches(service, run.version, wanted):
        problems = [answer for answer in answers if isinstance(answer, Refused)]
        refused += len(problems)
        if config.json:
            readable.as_json(answers)
        elif len(wanted) > 1:
            readable.several(typed[start : start + len(answers)], answers)
        elif not problems:
            readable.one(typed[0], answers[0])
        if problems and len(wanted) == 1:
            raise ValueError(problems[0].text)
    if refused:
        raise ValueError(f"{refused:,} of {len(wanted):,} requests were refused, as told above")


def flags_of(kind: type[Service]) -> type[AskConfig]:
    """Make the flags of a task: the fields of its request, then those of every task."""
    from tyro import conf

    first, schemas = _positional(kind), readable.schemas_of(kind.Request)
    made: list[Any] = []
    for name, info in kind.Request.model_fields.items():
        is_image = schemas[name].get("format") == "image"
        about = "path of an image file" if is_image else info.description or ""
        usual = "" if info.is_required() else info.get_default(call_default_factory=True)
        hint = "" if usual in ("", None) else f"(default: {usual})"
        if name == first:
            about += "; several are answered one by one, - reads lines from the input"
            shown = conf.arg(help=about, help_behavior_hint="", metavar=f"[{name.upper()} ...]")
            made.append((name, Annotated[tuple[str, ...], conf.Positional, shown], ()))
        else:
            shown = conf.arg(help=about, help_behavior_hint=hint, metavar="VALUE")
            made.append((name, Annotated[str | None, shown], None))
    return make_dataclass(
        "Ask", made, bases=(AskConfig,), frozen=True, namespace={"__doc__": "What is asked."}
    )


def _positional(kind: type[Service]) -> str | None:
    """Name the field that words without a flag fill: the first that is required, a text."""
    needed = (name for name, info in kind.Request.model_fields.items() if info.is_required())
    first = next(needed, None)
    return first if first and kind.Request.model_fields[first].annotation is str else None


def _typed(kind: type[Service], config: AskConfig) -> list[dict[str, str]]:
    """Return the requests as they were typed, or read."""
    first = _positional(kind)
    shared = {
        each.name: getattr(config, each.name)
        for each in fields(config)
        if each.name in kind.Request.model_fields and each.name != first
    }
    shared = {name: value for name, value in shared.items() if value is not None}
    if first is None:
        return [shared]
    texts = list(getattr(config, first))
    if config.file is not None or texts == [INPUT]:
        if config.file is not None and texts:
            raise ValueError(f"file: it is read in place of a {first}; leave out {texts[0]!r}")
        texts = _lines(config.file)
    if not texts:
        raise ValueError(
            f"{first}: nothing to ask; give one in quotes, or --file FILE, or - to read the input"
        )
    return [{first: text, **shared} for text in texts]


def _lines(path: Path | None) -> list[str]:
    """Return the lines of a file, or of the input; bytes that are no UTF-8 are refused later."""
    content = path.read_bytes() if path is not None else sys.stdin.buffer.read()
    return (
        content.decode("utf-8-sig", "surrogateescape")
        .replace("\r\n", "\n")
        .rstrip("\n")
        .split("\n")
    )


def _converted(typed: Mapping[str, str], schemas: Mapping[str, Any]) -> Values:
    """Turn what was typed into what a field holds: text, an image of that path, else JSON."""
    return {name: _value(text, schemas.get(name, {})) for name, text in typed.items()}


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    if schema.get("format") == "image":
        return base64.b64encode(Path(text).read_bytes()).decode("ascii")
    if schema.get("type") == "string" or "enum" in schema:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the field says what it wants


def _check(kind: type[Service], values: Values) -> None:
    """Raise what the schema has against a request."""
    found = _request(kind, values)
    if isinstance(found, Refused):
        raise ValueError(found.text)


def _request(kind: type[Service], values: Values) -> Any:
    from pydantic import ValidationError

    from common.serving.errors import findings

    try:
        return kind.Request.model_validate(values)
    except ValidationError as problem:
        return Refused(**findings(problem)[0])


def _in_batches(
    service: Service, version: str, rows: Sequence[Values]
) -> Iterator[tuple[int, list[Any]]]:
    """Yield answers, as many at a time as the service takes, with the place of the first."""
    for start in range(0, len(rows), service.max_batch):
        batch = rows[start : start + service.max_batch]
        requests = [_request(type(service), values) for values in batch]
        answers = list(requests)
        good = [place for place, each in enumerate(requests) if not isinstance(each, Refused)]
        while good:
            try:
                found = service.predict([requests[place] for place in good])
            except RequestError as problem:
                if problem.row is None and len(good) > 1:
                    raise
                place = good.pop(problem.row or 0)
                answers[place] = Refused(problem.field, problem.message, problem.remedy)
                continue
            for place, answer in zip(good, found, strict=True):
                answers[place] = _of_version(answer, version)
            break
        yield start, answers


def _of_version(answer: Any, version: str) -> Any:
    """Return an answer that names the run, as a server's does."""
    if "model_version" not in type(answer).model_fields:
        return answer
    return answer.model_copy(update={"model_version": version})
