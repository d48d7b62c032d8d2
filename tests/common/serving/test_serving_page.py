"""The page at /: self-contained, and safe against what the data holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from common.serving.page.render import json_in_script


def test_the_page_needs_nothing_from_elsewhere(client: Any) -> None:
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    without_namespaces = response.text.replace("http://www.w3.org/2000/svg", "")
    assert not re.findall(r"https?://", without_namespaces)
    assert "{{" not in response.text


def test_nothing_runs_but_the_script_and_the_style_of_the_page(client: Any) -> None:
    response = client.get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.findall(r"<[^>]+ (?:style|on\w+)=", response.text.split("<script")[0])


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
