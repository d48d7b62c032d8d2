"""The page of a report holds all that it is given, whole, and never scrolls sideways."""

import html as entities
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_report import METRIC, report

from common.evaluation import html
from common.evaluation.examples import MOST_PIXELS, Example, Item, evenly, middle, picture
from common.evaluation.report import Estimate, Report, Row, Table, figure

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
LONG = "a_name_of_sixty_characters_without_any_space_in_it_at_all_xyz"
MEASURE = """onload = () => {
  document.title = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, areas = [...page.querySelectorAll(".scroll")];
    const beyond = page.documentElement.scrollWidth - page.documentElement.clientWidth;
    return `${beyond} ${areas.some(area => area.scrollWidth > area.clientWidth)}`;
  }).join(", ") }"""  # pixels that the page is too wide, and whether a table scrolls by itself
SCRIPTS = ("日本語のモデル", "نموذج عربي", "שם ארוך", "हिन्दी", "модель", "😀 emoji")


def table(name: str, columns: int, rows: int) -> Table:
    names = tuple(f"column {number} of {name}" for number in range(columns))
    made = (Row(f"row {row}", {each: float(row) for each in names}) for row in range(rows))
    return Table(name, names, tuple(made))


def full() -> Report:
    """Return a report with all that is hard to show."""
    names = (LONG, *SCRIPTS)
    made = report({"popularity": 0.2, "model": 0.5} | dict.fromkeys(names, 0.1))
    made.tables += [table("turned", 30, 3), table("high", 30, 31), Table("bare", (), ())]
    made.tables[0] = Table(LONG, (METRIC, LONG), made.tables[0].rows, LONG)
    with figure(made, LONG, LONG, table=LONG) as axes:
        axes.barh(names, range(len(names)))
    pixel = picture("", np.zeros((1, 1), np.uint8))
    made.examples = [
        Example("words", LONG, tuple(Item(each, LONG, {"why": each}) for each in names)),
        Example("pixel", "", (Item(LONG, pictures=(pixel, pixel)),), (("#d62728", LONG),)),
    ]
    return made


def words(text: str) -> str:
    """Return what a reader sees of a page, without its tags."""
    body = text.split("<body>")[1]
    return entities.unescape(re.sub(r"<[^>]*>", "", body))


def test_names_of_any_length_and_script_are_on_the_page_whole() -> None:
    text = words(html.render(full()))
    assert all(text.count(name) >= 3 for name in (LONG, *SCRIPTS))
    assert "…" not in text  # only drawings shorten


def test_a_table_of_thirty_columns_is_turned_round_or_whole_in_its_own_area() -> None:
    text = html.render(full())
    turned = re.search(r"<h2[^>]*>turned</h2>.*?</table>", text, re.S)
    assert turned and turned[0].count("<tr>") == 31 and turned[0].count("<td") == 90
    assert "column 29 of turned</th><td" in turned[0] and ">row 2</th>" in turned[0]
    high = re.search(r"<h2[^>]*>high</h2>.*?</table>", text, re.S)
    assert high and high[0].count("<td") == 30 * 31 and 'class="scroll dense"' in high[0]
    assert "column 29 of high</th></tr>" in high[0]


def test_a_turned_table_still_says_which_row_is_the_baseline() -> None:
    made = report({"popularity": 0.1})
    columns = tuple(f"c{number}" for number in range(30))
    made.tables = [Table("wide", columns, (Row("popularity", {"c3": 0.5}, baseline=True),))]
    assert "popularity (baseline)</th>" in html.render(made)


def test_a_figure_stands_in_the_section_of_its_table() -> None:
    made = report({"popularity": 0.2, "model": 0.5})
    made.tables.append(table("later", 2, 2))
    for name, beside in (("first", "quality"), ("second", "later"), ("third", "none")):
        with figure(made, name, "", table=beside) as axes:
            axes.plot([0, 1])
    order = re.findall(r"<h2[^>]*>([^<]*)</h2>|<img alt=\"(\w+)", html.render(made))
    assert [a or b for a, b in order] == [
        "quality", "first", "later", "second", "figures", "third", "this run",
    ]  # fmt: skip


def test_the_row_that_serves_is_marked_in_the_headline_alone() -> None:
    made = report({"popularity": 0.2, "model": 0.5})
    made.tables.append(Table("again", (METRIC,), (Row("model", {METRIC: 0.5}),)))
    text = html.render(made)
    assert text.count('<tr class="served">') == 1
    assert 'model <span class="mark">served</span>' in text.split("again</h2>")[0]


def test_code_and_intervals_are_set_apart_and_nothing_else_is_markup() -> None:
    made = report({"popularity": 0.2, "model": Estimate(0.5, 0.4, 0.6)})
    made.tables[0] = Table("quality", (METRIC,), made.tables[0].rows, "From `<b>` on & on.")
    text = html.render(made)
    assert "From <code>&lt;b&gt;</code> on &amp; on." in text
    assert 'NDCG@10 0.5000 <span class="interval">[0.4000, 0.6000]</span>, 0.3000 above' in text


def test_no_interval_is_shown_where_there_is_no_figure() -> None:
    nothing = float("nan")
    made = report({"popularity": Estimate(nothing, nothing, nothing), "model": 0.5})
    headline = html.render(made).split("<tbody>")[1].split("</tr>")[0]
    assert 'dir="auto">–</td>' in headline and "[" not in headline


def test_items_with_pictures_are_cards_and_others_lines() -> None:
    made = report({"model": 0.5})
    made.examples = [
        Example("page", "", (Item("Heat", "like Alien", {"found by": "als"}), Item("Alien"))),
        Example("images", "", (Item("cat", pictures=(picture("truth", np.ones((3, 4), "u1")),)),)),
        Example("nothing", "No item.", ()),
    ]  # fmt: skip
    text = html.render(made)
    lines = text.split(">page</h2>")[1].split("</table>")[0]
    assert "Heat<small" in lines and ">als</td>" in lines and ">–</td>" in lines
    cards = text.split(">images</h2>")[1].split("</section>")[0]
    assert 'width="4" height="3" class="small"' in cards and "truth</span>" in cards
    assert "No item." in text


def test_examples_are_not_published_with_the_figures() -> None:
    made = report({"model": 0.5})
    made.examples = [Example("page", "", (Item("a private text"),))]
    assert "a private text" in html.render(made) and "private" not in str(made.to_dict())


def test_large_images_are_shrunk_and_small_ones_kept_pixel_by_pixel() -> None:
    large = picture("", np.zeros((900, 1800, 3), np.uint8))
    assert (large.width, large.height) == (MOST_PIXELS, MOST_PIXELS // 2)
    assert large.content.startswith(b"\xff\xd8")
    pixels = np.random.default_rng(0).integers(0, 255, (28, 28), np.uint8)
    small = Image.open(io.BytesIO(picture("", pixels).content))
    assert np.array_equal(np.asarray(small), pixels)


def test_the_middle_and_even_steps_pick_nothing_good() -> None:
    assert middle(np.array([0.9, 0.1, 0.5])) == 2
    assert evenly(10, 4) == [0, 3, 6, 9] and evenly(2, 4) == [0, 1] and evenly(1, 4) == [0]


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, to lay the page out")
def test_the_page_never_scrolls_sideways_but_its_wide_tables_do(tmp_path: Path) -> None:
    inside = entities.escape(html.render(full()))
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px" srcdoc="{inside}"></iframe>'
        for width in (390, 1280)
    )
    page = tmp_path / "frames.html"
    page.write_text(f"<title></title>{frames}<script>{MEASURE}</script>", encoding="utf-8")
    assert CHROMIUM is not None
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, *FLAGS.split(), profile, "--window-size=1400,900", "--dump-dom"]
    done = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    assert "<title>0 true, 0 true</title>" in done.stdout
