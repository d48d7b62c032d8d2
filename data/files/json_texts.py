"""Labelled texts as JSON files have them, whatever their outer form: one object a text.

    {"text": "…", "label": "…"}                        an object a line, or one list of them
    [["…", "label"], …]                                pairs, in one list
    {"train": […], "val": […], "test": […]}            a list for each part, as CLINC150 has them
    {"label a": ["…", "…"], "label b": […]}            texts by label
    {"text": ["…", …], "label": [0, …]}                columns, as lists or as pandas writes them
    {"version": 1, "data": […]}                        one list under another name

A field of an object inside goes by its path: `meta.intent`. Rows are counted over the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from data.files.faults import Faults
from data.files.headers import listed
from data.files.part_names import PART_OF

PART = "(part)"  # the column that says of a row which part it is, where the file has parts
EXAMPLE = '{"text": "…", "label": "…"}'
_MOST_INNER = 20  # fields of an object inside that a message may name


class JsonTexts:
    """The texts of one file, collected from whichever form it has."""

    def __init__(self, path: Path, *, text: str, label: str) -> None:
        self.path, self.text, self.label = path, text, label
        self.faults = Faults(path)
        self.objects: list[dict[str, Any]] = []
        self.rows: list[int] = []
        self.said: list[str] = []
        self._count = 0
        self._pairs: list[dict[str, Any]] = []
        self._part_of_row: dict[int, str] = {}

    def read(self, content: str) -> JsonTexts:
        """Collect the objects of `content`; what is none is kept as a fault, for `frame`."""
        for row, value in self._values(content):
            self._add(value, row)
        self._order_pairs()
        if not self.objects:
            raise ValueError(
                f"{self.path}: it holds no JSON object; one a line is needed, such as {EXAMPLE}."
                " For a table give --dataset csv."
            )
        return self

    @property
    def has_parts(self) -> bool:
        """Tell whether the file says of its texts which part they are."""
        return bool(self._part_of_row)

    def frame(self, wanted: Sequence[str]) -> pl.DataFrame:
        """Return the fields as columns of text, or raise for all that was wrong.

        Those `wanted` may name a field inside by its path.
        """
        names = list(dict.fromkeys(name for each in self.objects for name in _named(each)))
        names += [name for name in wanted if name not in names and self._any_has(name)]
        for row, each in zip(self.rows, self.objects, strict=True):
            for name in wanted:
                if isinstance(_at(each, name), list | dict):
                    self.faults.add(row, f"field {name!r} holds {_plural(_at(each, name))}.")
        self.faults.check()
        return pl.DataFrame(
            {name: [_as_text(_at(each, name)) for each in self.objects] for name in names},
            schema=dict.fromkeys(names, pl.String),
        )

    def _any_has(self, name: str) -> bool:
        return any(_at(each, name) is not None for each in self.objects)

    def _values(self, content: str) -> list[tuple[int, Any]]:
        """Parse one value a line, or the whole file; what is no JSON is a fault."""
        start = content.lstrip()
        if start.startswith("["):
            return self._listed(self._whole(content))
        if start.startswith("{"):
            try:
                whole = json.loads(content)
            except json.JSONDecodeError as error:
                first, _, more = start.partition("\n")
                if not _is_json(first) and not _is_json(more.partition("\n")[0]):
                    raise self._no_json(error) from error
            else:
                if any(isinstance(value, list | dict) for value in whole.values()):
                    return self._of_object(whole)
        found = []
        for row, line in enumerate(content.split("\n"), start=1):
            try:
                found += [(row, json.loads(line))] if line.strip() else []
            except json.JSONDecodeError as error:
                problem = f"not JSON ({error.msg}, character {error.colno}). Correct it."
                self.faults.add(row, problem)
        return found

    def _whole(self, content: str) -> Any:
        try:
            return json.loads(content)
        except json.JSONDecodeError as error:
            raise self._no_json(error) from error

    def _no_json(self, error: json.JSONDecodeError) -> ValueError:
        return ValueError(f"{self.path}, row {error.lineno}: not JSON ({error.msg}).")

    def _of_object(self, whole: Mapping[str, Any]) -> list[tuple[int, Any]]:
        """Return the texts of the one object that a file is."""
        if self.text in whole and self.label in whole:
            return self._columns(whole)
        parts = {
            name: PART_OF[name.lower()]
            for name, value in whole.items()
            if name.lower() in PART_OF and isinstance(value, list | dict)
        }
        if "train" in parts.values():
            self._say_unread([name for name in whole if name not in parts])
            return self._of_parts(whole, parts)
        if _are_texts(whole):
            return self._listed(
                [{self.text: text, self.label: label} for label in whole for text in whole[label]]
            )
        lists = [name for name, value in whole.items() if isinstance(value, list) and value]
        if len(lists) == 1:
            self._say_unread([name for name in whole if name not in lists])
            return self._listed(whole[lists[0]])
        if not lists:
            return self._listed([whole])
        raise ValueError(
            f"{self.path}: lists under {listed(lists)}, none of them called train. Call the parts"
            " train, valid and test, or keep one list."
        )

    def _of_parts(
        self, whole: Mapping[str, Any], parts: Mapping[str, str]
    ) -> list[tuple[int, Any]]:
        """Return the texts of all parts, each marked with its own."""
        found = []
        for name, part in parts.items():
            value = whole[name]
            of_part = self._of_object(value) if isinstance(value, dict) else self._listed(value)
            self._part_of_row |= {row: part for row, _ in of_part}
            found += of_part
        return found

    def _say_unread(self, names: Sequence[str]) -> None:
        if names:
            self.said.append(
                f"Keys of {self.path.name} that are not read: {listed(list(names))}. Parts are"
                " called train, valid and test."
            )

    def _columns(self, whole: Mapping[str, Any]) -> list[tuple[int, Any]]:
        """Turn columns into rows: lists of one length, or objects with the same row names."""
        columns = {
            name: list(value.values()) if isinstance(value, dict) else value
            for name, value in whole.items()
            if isinstance(value, list | dict)
        }
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name!r} {count:,}" for name, count in lengths.items())
            raise ValueError(f"{self.path}: its columns differ in length ({told}). Correct them.")
        return self._listed(
            [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        )

    def _listed(self, values: Sequence[Any]) -> list[tuple[int, Any]]:
        """Number the values of a list on from those before."""
        first = self._count + 1
        self._count += len(values)
        return list(enumerate(values, start=first))

    def _add(self, value: Any, row: int) -> None:
        """Keep an object or a pair, else a fault."""
        if isinstance(value, dict):
            found = dict(value)
        elif _is_pair(value):
            found = {self.text: value[0], self.label: value[1]}
            self._pairs.append(found)
        else:
            self.faults.add(row, f"not a JSON object. Write one as {EXAMPLE}.")
            return
        label = _at(found, self.label)
        if isinstance(label, list) and len(label) == 1:  # as doccano writes a label
            found[self.label] = label[0]
        if self._part_of_row:
            found[PART] = self._part_of_row[row]
        self.objects.append(found)
        self.rows.append(row)

    def _order_pairs(self) -> None:
        """Take the side of the pairs with fewer different values for the label."""
        texts, labels = ({each[key] for each in self._pairs} for key in (self.text, self.label))
        if len(texts) < len(labels):
            for each in self._pairs:
                each[self.text], each[self.label] = each[self.label], each[self.text]


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, str | int | float) for each in value)
    )


def _named(found: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields; those of an object inside by their path."""
    names: list[str] = []
    for name, value in found.items():
        inner = list(value)[:_MOST_INNER] if isinstance(value, dict) else []
        names += [f"{name}.{each}" for each in inner] or [name]
    return names


def _at(found: Mapping[str, Any], name: str) -> Any:
    """Return a field by its name or path; None where there is none."""
    if name in found:
        return found[name]
    first, dot, rest = name.partition(".")
    inner = found.get(first)
    return _at(inner, rest) if dot and isinstance(inner, dict) else None


def _are_texts(whole: Mapping[str, Any]) -> bool:
    """Tell whether every value is a list of texts: then its name is their label."""
    values = list(whole.values())
    return len(values) > 1 and all(
        isinstance(each, list) and each and all(isinstance(text, str) for text in each)
        for each in values
    )


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _plural(value: Any) -> str:
    """Say what a field holds where one text or label is needed, and what to do."""
    if isinstance(value, dict):
        return "an object. Name a field inside by its path, such as meta.intent"
    return f"a list of {len(value):,}. Give one text, or one label"


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
