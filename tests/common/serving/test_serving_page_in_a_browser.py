"""The page at / in a real browser: what it shows on opening, and what it does with what is put in.

One browser for all; `gallery_service.py` has a field of every format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser, Page
from serving_here import ANSWERED, serving

from common.serving.prediction_log import read

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a real browser")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def gallery(load_script: Any, echo_run: Any) -> Iterator[tuple[str, Any]]:
    with serving(load_script("gallery_service").GalleryService(), echo_run) as running:
        yield running


@pytest.fixture
def page(browser: Browser, gallery: tuple[str, Any]) -> Iterator[Page]:
    opened = Page(browser, gallery[0])
    opened.wait(ANSWERED)
    yield opened
    opened.close()


def test_a_search_box_asks_the_example_and_then_what_is_typed(
    browser: Browser, echo: Any, echo_run: Any, tmp_path: Path
) -> None:
    with serving(echo.EchoService(), echo_run, prediction_log=tmp_path) as (address, _):
        page = Page(browser, address)
        page.wait(ANSWERED)
        shown = page.text()
        assert "hello wörld 🎬 hello wörld 🎬" in shown and "in the model" in shown
        assert "ready" in shown and "7 more fields" in shown
        assert "0.9900" in shown and "silence: 0.1000" in shown  # the figures, beside the baseline
        assert "simulated data" not in shown  # told in the card, which unfolds
        page.run("document.querySelector('#card summary').click()")
        assert "simulated data </script><b>&" in page.text()  # told as text, not obeyed
        assert read(tmp_path) == []  # the page asked, and nobody else
        marks = "marked('Hello, hellos: wörld').filter(part => part.tagName === 'MARK')"
        assert page.run(f"{marks}.map(part => part.textContent)") == ["Hello", "wörld"]
        page.type("#field-text", "שלום")
        page.run("document.querySelector('#field-text').focus()")
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Enter", text="\r",
                      windowsVirtualKeyCode=13)  # fmt: skip
        page.wait("document.querySelector('#answer').innerText.includes('שלום שלום')")
        assert [record["request"]["text"] for record in read(tmp_path)] == ["שלום"]
        page.close()


def test_a_run_without_a_baseline_is_not_compared_with_one(
    browser: Browser, echo: Any, echo_run: Any
) -> None:
    with serving(echo.EchoService(), echo_run) as (address, _):
        page = Page(browser, address)
        page.wait(ANSWERED)
        figures = "byId('figures').replaceChildren(), showCard(), byId('figures').innerText"
        assert "silence, the baseline" in page.run(f"(data.card.served = 'silence', {figures})")
        alone = page.run(f"(data.card.baseline = '', {figures})")
        assert "0.1000" in alone and "baseline" not in alone and "silence" not in alone
        page.close()


def test_every_format_is_shown(page: Page, load_script: Any) -> None:
    gallery = load_script("gallery_service")
    assert page.run("document.querySelector('.verdict.alarm b').textContent") == "no"
    assert page.run("document.querySelector('.headline .share b').textContent") == "98.7%"
    title = "document.querySelector('.shelf h3')"
    assert page.run(f"{title}.textContent") == gallery.HEBREW  # its <b> is text
    assert page.run(f"getComputedStyle({title}).direction") == "rtl"
    reasons = "[...document.querySelectorAll('.reasons .measured')].map(node => node.textContent)"
    assert page.run(reasons) == ["+1.50", "−0.50"]
    assert page.run("document.querySelectorAll('.stage rect').length") == 2
    assert gallery.LONG in page.run("document.querySelector('.bars').textContent")
    assert page.run("document.querySelectorAll('#answer .scroll th').length") == 30
    assert "base64" not in page.text()
    assert "COUNTS\ncell\n23\n" in page.text()  # beside an image too it needs no unfolding
    unnamed = (
        "[...document.querySelectorAll('input, textarea, select')].filter(n => !n.labels.length)"
    )
    assert page.run(f"{unnamed}.length") == 0  # each has a label, for who cannot see the page
    described = page.run(
        "[...document.querySelectorAll('[aria-describedby]')]"
        ".flatMap(node => node.getAttribute('aria-describedby').split(' '))"
    )
    assert "hint-shop%20name" in described  # a name may hold a space, its id may not
    assert page.run(f"{described}.every(byId)")


def test_a_mask_of_16_bits_is_coloured_over_the_image(page: Page) -> None:
    label = page.run("document.querySelector('canvas').getAttribute('aria-label')")
    assert label == "mask of 3 objects"
    pixel = "[...document.querySelector('canvas').getContext('2d').getImageData({}, 1, 1).data]"
    first, other, ground = (page.run(pixel.format(at)) for at in ("6, 6", "25, 25", "35, 5"))
    assert first[:3] != other[:3] and max(first[:3]) > 100 and max(other[:3]) > 100
    assert 0 < first[3] < 255 and ground[3] == 0  # the image is seen through it
    page.run("document.querySelector('.switch input[value=none]').click()")
    assert page.run("getComputedStyle(document.querySelector('.layers')).opacity") == "0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(browser: Browser, gallery: tuple[str, Any], scheme: str) -> None:
    page = Page(browser, gallery[0], width=390, scheme=scheme)
    page.wait(ANSWERED)
    assert page.run("document.documentElement.scrollWidth") <= 390
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    page.close()


def test_what_is_refused_stands_beside_its_field(page: Page, gallery: tuple[str, Any]) -> None:
    def told(selector: str, words: str) -> None:
        page.wait(f"document.querySelector('{selector}').textContent.includes('{words}')")

    send = "document.querySelector('#form').requestSubmit()"
    page.type("#field-k", "0")
    page.run(send)
    told("#refused-k", "greater than or equal to 1")
    assert page.run("document.activeElement.id") == "field-k"
    assert page.run("document.activeElement.getAttribute('aria-invalid')") == "true"
    page.type("#field-k", "9")
    page.run(send)
    told("#refused-facets", "facets.genre: no such genre; try drama")
    assert page.run("document.querySelector('#further').open")  # its field had been folded
    assert page.run("document.querySelector('#refused-k').textContent") == ""
    page.type("#field-facets", "{")
    page.run(send)
    told("#refused-facets", "not JSON")
    page.type("#field-facets", "")
    page.type("#field-k", "1")
    gallery[1].state.server.set_ready(False)
    page.run(send)
    told("#refused", "the model is not ready; try again in 5 s")  # names no field
    gallery[1].state.server.set_ready(True)
    page.run(send)
    page.wait(ANSWERED)
    assert page.run("document.querySelector('#refused').textContent") == ""
    assert page.run("document.querySelectorAll('.shelf > li').length") == 1


def test_what_a_field_cannot_send_is_said_and_not_left_out(page: Page) -> None:
    send = "document.querySelector('#form').requestSubmit()"
    page.run("(byId('field-k').value = '', byId('field-k').focus())")
    page.call("Input.insertText", text="1e")
    page.run(send)
    assert "this is not a number" in page.run("byId('refused-k').textContent")
    page.type("#field-k", "9007199254740993")  # a browser would send ...992
    page.run(send)
    assert "so large a number" in page.run("byId('refused-k').textContent")
    page.run("byId('toggle').click()")
    for text in ("null", "[1]", "{"):
        page.type("#json", text)
        page.run("byId('toggle').click()")
        assert page.run("byId('raw').hidden") is False  # it has no field to go to
        assert "this is not" in page.run("byId('refused-json').textContent")
    page.run("byId('reset').click()")
    page.wait(ANSWERED)


def drop(page: Page, content: str) -> None:
    """Drop a file of this content, in base64, on the field of the image."""
    page.run(
        "(() => { const files = new DataTransfer();"
        f" const bytes = Uint8Array.from(atob('{content}'), letter => letter.charCodeAt(0));"
        " files.items.add(new File([bytes], 'dot.png', { type: 'image/png' }));"
        " document.querySelector('.drop').dispatchEvent("
        "new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true })); })()"
    )


def test_an_image_of_one_pixel_is_dropped_and_shown(page: Page, load_script: Any) -> None:
    import numpy as np

    dot = load_script("gallery_service").png(np.zeros((1, 1, 3), np.uint8))
    drop(page, "")
    assert page.run("byId('refused-image').textContent").endswith(
        "the file is empty; choose another"
    )
    drop(page, dot)
    page.wait("document.querySelector('.stage img')?.naturalWidth === 1")
    assert page.run("document.querySelector('.preview img').offsetWidth") >= 24
    assert page.run("body.image") == dot
