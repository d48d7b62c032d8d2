"""What the page shows of texts, in a real browser: marks, quotes, translations, and what grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser import CHROMIUM, Browser, Page
from serving_here import ANSWERED, serving

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a real browser")
MARKS = "[...document.querySelectorAll('.marked mark')].map(node => node.textContent)"
TAGS = "[...document.querySelectorAll('.marked .tag')].map(node => node.textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def texts(load_script: Any) -> Any:
    return load_script("text_service")


@pytest.fixture(scope="module")
def address(texts: Any, echo_run: Any) -> Iterator[str]:
    with serving(texts.TextService(), echo_run) as (url, _):
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    opened = Page(browser, address)
    opened.wait(ANSWERED)
    yield opened
    opened.close()


def test_parts_are_marked_where_python_says_they_are(page: Page, texts: Any) -> None:
    marked = page.run(MARKS)
    assert marked == ["Zoë Müller", "University of ", "Graz", texts.MARKUP, "שלום", "Monday"]
    assert page.run(TAGS) == ["PER", "LOC", "ORG", "CODE", "LOC", "DATE"]
    whole = "document.querySelector('.marked .passage').cloneNode(true)"
    text = f"(node => (node.querySelectorAll('.tag').forEach(tag => tag.remove()), node))({whole})"
    assert page.run(f"{text}.textContent") == texts.TEXT
    assert page.run("document.querySelectorAll('#answer img').length") == 0  # text, not markup
    legend = page.run("document.querySelector('.legend').innerText").split()
    assert legend == ["PER", "1", "ORG", "1", "LOC", "2", "CODE", "1", "DATE", "1"]


def test_of_overlapping_parts_the_inner_is_coloured_and_the_outer_underlines(page: Page) -> None:
    colour = "(at => getComputedStyle(document.querySelectorAll('.marked mark')[at])"
    inner = page.run(f"{colour}.backgroundColor)(2)")
    assert inner == page.run(f"{colour}.backgroundColor)(4)")  # Graz and the other place
    assert inner != page.run(f"{colour}.backgroundColor)(1)")
    assert page.run(f"{colour}.boxShadow)(1)") == "none"
    assert page.run(f"{colour}.boxShadow)(2)") != "none"
    titles = page.run("document.querySelectorAll('.marked mark')[2].title")
    assert titles == "LOC 0.90 · ORG 0.90"


def test_places_outside_the_text_break_nothing(page: Page) -> None:
    spans = "[{start: -3, end: 2, label: 'A'}, {start: 3, end: 99}, {start: 2, end: 2, label: 'B'}]"
    counted = "(node => [node.textContent, node.querySelectorAll('mark').length])"
    found = page.run(f"{counted}(passage('a🎬b🎬', {spans}))")
    assert found == ["a🎬Ab🎬", 2]


def test_an_answer_stands_large_and_in_its_passage(page: Page, texts: Any) -> None:
    assert page.run("document.querySelector('.verdict b').textContent") == "Anna Bauer"
    first = "document.querySelector('.quotes article')"
    assert page.run(f"{first}.querySelector('mark').textContent") == "Anna Bauer"
    assert texts.MARKUP in page.run(f"{first}.querySelector('.facts-line').textContent")
    assert page.run(f"{first}.querySelector('.passage').textContent") == texts.PASSAGE
    others = page.run("document.querySelector('.quotes details').innerText")
    assert others == "1 more"  # folded
    other = page.run(
        "document.querySelectorAll('.quotes article')[1].querySelector('mark').innerHTML"
    )
    assert other == "Vienna"


def test_a_translation_stands_beside_its_source(page: Page) -> None:
    left, right = (
        page.run(f"(({{x, y}}) => [x, y])(document.querySelectorAll('.twins .passage')[{at}]"
                 ".getBoundingClientRect())")
        for at in (0, 1)
    )  # fmt: skip
    assert left[0] < right[0] and abs(left[1] - right[1]) < 2
    assert "Hügel" in page.run("document.querySelectorAll('.twins .passage')[1].textContent")


def test_what_was_not_found_and_what_was_cut_is_said(page: Page) -> None:
    page.run("byId('toggle').click()")
    page.type("#json", '{"text": "nobody here"}')
    page.run("document.querySelector('#form').requestSubmit()")
    page.wait("document.querySelector('.verdict.none b')?.textContent === 'no answer in the text'")
    assert page.run("document.querySelectorAll('.quotes, .twins, #answer .notice').length") == 0
    assert "nothing found in it" in page.text()
    page.type("#json", '{"text": "' + "x " * 80 + '"}')
    page.run("document.querySelector('#form').requestSubmit()")
    page.wait("document.querySelector('#answer .notice')?.textContent.includes('longer than')")


def test_a_field_that_is_emptied_is_left_out_unless_it_is_required(page: Page) -> None:
    assert page.run("body.context") and page.run("body.text")
    page.type("#field-context", "")
    page.type("#field-text", "")
    assert page.run("'context' in body") is False and page.run("body.text") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(browser: Browser, address: str, scheme: str) -> None:
    page = Page(browser, address, width=390, scheme=scheme)
    page.wait(ANSWERED)
    assert page.run("document.documentElement.scrollWidth") <= 390
    colours = page.run(
        "(style => [style.color, style.backgroundColor])"
        "(getComputedStyle(document.querySelector('.marked mark')))"
    )
    ink, ground = (sum(map(int, each[4:-1].split(","))) for each in colours)
    assert (ink > ground) == (scheme == "dark") and abs(ink - ground) > 300
    page.close()


def test_pieces_are_shown_as_they_come(browser: Browser, texts: Any, echo_run: Any) -> None:
    with serving(texts.TellingService(), echo_run) as (url, app):
        page = Page(browser, url)
        page.wait("document.querySelector('.growing')?.textContent === 'Anna <b>Bauer</b>'")
        page.wait(ANSWERED)
        assert "first words after" in page.run("byId('status').textContent")
        assert page.run("document.querySelectorAll('.growing').length") == 0
        assert page.run("document.querySelector('.verdict b').textContent") == "Anna Bauer"
        page.type("#field-text", "crash")
        page.run("document.querySelector('#form').requestSubmit()")
        page.wait("byId('refused').textContent.includes('the server failed')")
        assert "broken off" in page.run("byId('status').textContent")
        page.run("document.querySelector('#form').requestSubmit()")
        page.wait("document.querySelector('.growing') !== null")
        page.run("byId('reset').click()")  # a new question ends the one that is being answered
        page.wait(ANSWERED)
        gone = app.state.server.metrics.errors.labels("gone")._value.get()
        assert gone == 1
        page.close()
