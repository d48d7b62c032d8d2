"""How the page at / shows a field: the `format` of its JSON schema, and nothing else.

    of a request    image     a place to drop an image file on
                    search    one wide field; all others unfold
    of an answer    verdict   large; with `alarm`, the values that are marked red; with `nothing`,
                              what is said of none
                    share     a bar from 0 to 1
                    notice    a yes or no; of a yes its description is said above the answer
                    spans     parts of a text with labels, marked in it (`start`, `end`, `label`)
                    quotes    answers, best first, each marked in its passage (`text`, `start`,
                              `end`, `passage`, `passage_start`), below its `title`
                    beside    a text, beside the one that was sent
                    results   a list of entries, one below the other
                    shelf     a list of entries, as cards
                    title, snippet, facts, why     the parts of an entry, or of a reason
                    weight    a bar for what a reason adds, grey where it takes away
                    box       x0, y0, x1, y1 in pixels, drawn over the image sent
                    mask      a PNG whose pixels are numbers, coloured over the image sent
                    mask-value   the number of a class in the mask

Spans and what stands beside are of the text in the field `text` of the request, or in that of the
request or the answer which `over` names; quotes without a `passage` are of the request's `context`.
Places in a text count its characters (code points), as Python does; `end` is the first beyond, and
a passage may begin at `passage_start` of what the places count in.

A field without a format is shown by its type: a list of objects as a table, the rest as text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

Format = Literal[
    "verdict", "results", "shelf", "title", "snippet", "facts", "why", "weight", "box",
    "mask", "mask-value", "search", "share", "image", "notice", "spans", "quotes", "beside",
]  # fmt: skip


def shown(as_: Format, **more: Any) -> Any:
    """Return the metadata, for `Annotated`, of a field that the page shows so."""
    return Field(json_schema_extra={"format": as_, **more})


ImageBase64 = Annotated[
    str,
    Field(
        min_length=1,
        json_schema_extra={"format": "image", "contentEncoding": "base64"},
        description="an image file in base64; a data: URL works too",
    ),
]
"""A field of a request that carries an image file."""

Share = Annotated[float, Field(ge=0, le=1), shown("share")]
"""A probability, or a part of a whole."""

Truncated = Annotated[
    bool,
    Field(description="The text is longer than the model reads: only its beginning was used."),
    shown("notice"),
]
"""Whether an end of what was sent was not read; a response calls it `truncated`."""
