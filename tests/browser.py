"""A headless Chromium that tests drive by its debugging pipe: pages, scripts, pictures, no package.

Each `Page` is a tab of its own, so one browser serves all tests of a worker.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update --remote-debugging-pipe"
    " --hide-scrollbars --force-color-profile=srgb"
)


class Browser:
    """Chromium, spoken to in JSON messages that end in NUL (Chrome DevTools Protocol)."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        inner_read, self.write = os.pipe()
        self.read, inner_write = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (inner_read, inner_write)]
        moved = [(os.POSIX_SPAWN_DUP2, end, place) for end, place in zip(ends, (3, 4), strict=True)]
        null = os.open(os.devnull, os.O_WRONLY)
        quiet = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        argv = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}"]
        self.pid = os.posix_spawn(
            CHROMIUM, argv, os.environ, file_actions=[*moved, *quiet], setpgroup=0
        )
        for end in (*ends, inner_read, inner_write, null):
            os.close(end)
        self.number, self.rest = 0, b""

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Send one command and return its result; raises what the browser says is wrong."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _message(self, seconds: float = 60.0) -> bytes:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], seconds)
            assert ready, "the browser does not answer"
            part = os.read(self.read, 2**20)
            assert part, "the browser has ended"
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return message

    def close(self) -> None:
        """End the browser and all processes it started."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.write)
        os.close(self.read)


class Page:
    """One tab, of a width and a colour scheme."""

    def __init__(
        self, browser: Browser, url: str, *, width: int = 1280, scheme: str = "light"
    ) -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self.target, self.session = target, attached["sessionId"]
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
        ])  # fmt: skip
        self.resize(width)
        self.call("Page.enable")
        self.call("Page.navigate", url=url)

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command to this tab."""
        return self.browser.call(method, self.session, **parameters)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the tab another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 500)  # fmt: skip

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 20.0) -> Any:
        """Return the expression's value once it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}\n{self.run('document.body.innerText')}")

    def text(self) -> str:
        """Return what a reader sees."""
        return str(self.run("document.body.innerText"))

    def type(self, selector: str, text: str) -> None:
        """Put text into a field as typing does."""
        self.run(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
            f" node.value = {json.dumps(text)}; node.dispatchEvent(new Event('input')); }})()"
        )

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)
