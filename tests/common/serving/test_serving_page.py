"""The page at /: self-contained, safe against what the data holds, and working in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from common.serving.page import json_in_script

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update --virtual-time-budget=8000"
)


def test_the_page_needs_nothing_from_elsewhere(client: Any) -> None:
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    without_namespaces = response.text.replace("http://www.w3.org/2000/svg", "")
    assert not re.findall(r"https?://", without_namespaces)
    assert "{{" not in response.text


def test_what_the_data_holds_cannot_leave_its_script(client: Any) -> None:
    text = client.get("/").text
    embedded = text.split('id="data">')[1].split("</script>")[0]
    data = json.loads(embedded)
    assert data["card"]["notices"] == ["simulated data </script><b>&"]
    assert data["example"]["text"] == "hello wörld 🎬"
    assert data["about"] == "Says again what it was told, word by word."


def test_json_in_a_script_is_the_same_json() -> None:
    data = {"a": "</script><!-- & \u2028 é"}
    assert json.loads(json_in_script(data)) == data
    assert not set("<>&") & set(json_in_script(data))


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, to open the page in a real browser")
def test_the_page_sends_the_example_and_shows_the_answer(
    runs: Path, running: Any, tmp_path: Path
) -> None:
    with running(runs) as (_, url):
        running.ready(url)
        assert CHROMIUM is not None
        done = subprocess.run(
            [CHROMIUM, *FLAGS.split(), f"--user-data-dir={tmp_path}", "--dump-dom", f"{url}/?send"],
            capture_output=True,
            text=True,
            timeout=90,
        )
    shown = done.stdout
    assert "hello wörld 🎬 hello wörld 🎬" in shown
    assert "200 ·" in shown and "in the model" in shown
    assert 'class="soft ready yes"' in shown
    assert "simulated data &lt;/script&gt;&lt;b&gt;&amp;" in shown  # told as text, not obeyed
    assert ">0.9900<" in shown  # the model card's table
