"""How a command ends: one line on what was wrong, an exit code, and nothing half done left behind.

    0    done
    1    a mistake of this project: one line, and how to see the traceback
    2    the input was wrong, or a library refused it, or memory or disk ran out
    130  interrupted (ctrl-c); 143 by SIGTERM, as `kill` and schedulers send it
    141  whoever read the output closed it, as `head` does

Checkpoints stay where continuing makes sense: after an interrupt, and where memory or disk ran out.
A run that was refused would be refused again, so what it wrote itself goes.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from common import console

MISTAKE, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143
ROOT = Path(__file__).parents[1]
LONGEST = 400  # characters of a library's message
REMEDIES = {
    errno.ENOENT: "create it, or name an existing path",
    errno.EISDIR: "name a file instead of a folder",
    errno.ENOTDIR: "name a folder instead of a file",
    errno.EIO: "check the disk, its quota and the limit on the size of files",
    errno.EFBIG: "raise the limit on the size of files, or point --runs at another disk",
}
# What a wrong input never raises by itself: such an error is a mistake in code.
MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, NotImplementedError,
    RecursionError, TypeError,
)  # fmt: skip
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")

_watched: dict[Path, bool] = {}  # folders of checkpoints; whether an earlier run left them


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def watch(folder: Path) -> None:
    """Remember where this process keeps its checkpoints."""
    _watched.setdefault(folder, folder.exists())


@contextmanager
def one_line() -> Iterator[None]:
    """End the process as the table above says; with `ML_PATTERNS_DEBUG=1` errors are tracebacks."""
    with _sigterm_interrupts():
        try:
            yield
            _flush()
        except SystemExit as end:
            if _functions(end)[-1:] == ["on_broken_pipe"]:  # rich met it
                console.closed_output()
            _flush()
            raise
        except KeyboardInterrupt as stop:
            console.error(f"interrupted; no half-written file was left{_resumable()}")
            sys.exit(TERMINATED if isinstance(stop, Terminated) else INTERRUPTED)
        except BaseException as problem:
            if isinstance(problem, BrokenPipeError) and console.output_is_closed():
                console.closed_output()
            text, code = in_words(problem)
            if _worth_resuming(problem):
                text += _resumable()
            else:
                _remove_own_checkpoints()
            if os.environ.get("ML_PATTERNS_DEBUG"):
                raise
            console.error(text)
            sys.exit(code)


def in_words(problem: BaseException) -> tuple[str, int]:
    """Say in one line what was wrong, and give the exit code."""
    if isinstance(problem, OSError):
        return _of_the_system(problem), REFUSED
    library, words = _library(problem), _first_line(problem)
    if _is_memory(problem):
        return f"not enough memory ({words}); use less data, or a smaller model or batch", REFUSED
    if isinstance(problem, MISTAKES) or (library is None and not _is_refusal(problem)):
        return (
            f"{type(problem).__name__}: {words} ({_place(problem)}); this is a mistake in the"
            " program: set ML_PATTERNS_DEBUG=1 to see the traceback, and report it",
            MISTAKE,
        )
    if library is None:
        return str(problem) or type(problem).__name__, REFUSED
    return (
        f"{library} refused what it was given: {words}; check the data and the flags, or set"
        " ML_PATTERNS_DEBUG=1 to see where",
        REFUSED,
    )


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        console.closed_output()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the block as ctrl-c does, so that files are tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signal_number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_refusal(problem: BaseException) -> bool:
    return isinstance(problem, (ValueError, ImportError))


def _is_memory(problem: BaseException) -> bool:
    words = str(problem).lower()
    return isinstance(problem, MemoryError) or any(said in words for said in OUT_OF_MEMORY)


def _worth_resuming(problem: BaseException) -> bool:
    return isinstance(problem, OSError) or _is_memory(problem)


def _resumable() -> str:
    """Say how to go on, if a checkpoint is there."""
    for folder in _watched:
        if any(path.is_file() for path in folder.rglob("*")):
            return "; add --resume to the same command to continue from the last checkpoint"
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def _remove_own_checkpoints() -> None:
    for folder, was_there in _watched.items():
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)


def _library(problem: BaseException) -> str | None:
    """Name the installed package whose code raised, or whose type the error is."""
    frames = [frame for frame, _ in traceback.walk_tb(problem.__traceback__)]
    innermost = Path(frames[-1].f_code.co_filename).parts if frames else ()
    module = sys.modules.get(type(problem).__module__.partition(".")[0])
    home = Path(getattr(module, "__file__", None) or "").parts
    for parts in (innermost, home):
        if "site-packages" in parts[:-1]:
            return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return None


def _functions(problem: BaseException) -> list[str]:
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(problem.__traceback__)]


def _first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0][:LONGEST].rstrip(".") if lines else type(problem).__name__


def _place(problem: BaseException) -> str:
    """Give file and line of our code nearest to the error."""
    for frame, line in reversed(list(traceback.walk_tb(problem.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(ROOT)}, line {line}"
    return "outside this project"


def _of_the_system(problem: OSError) -> str:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {problem.filename}" if problem.filename else ""
        return f"the disk is full{where}; free some space, or point --runs at another disk"
    if problem.errno is None:
        return str(problem) or type(problem).__name__
    remedy = REMEDIES.get(problem.errno, "check the path and its permissions, or name another")
    where = f"{problem.filename}: " if problem.filename else ""
    return f"{where}{str(problem.strerror).lower()}; {remedy}"
