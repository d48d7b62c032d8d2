"""Which tests share a worker: those of a file, the contracts of a pattern, the commands of a page.

Fixtures of a file are made once that way. pytest-xdist's own groups come with a marker, which
pytest 9.2 and pytest-xdist 3.8 lose on the way; the name of a test is enough.
"""

from xdist.scheduler import LoadScopeScheduling

CONTRACTS, COMMANDS = "contracts/test_pipelines.py", "test_commands.py"


class ByGroup(LoadScopeScheduling):
    """Hands out whole groups, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Return what a test shares with those that must run on its worker."""
    file, _, test = nodeid.partition("::")
    if file.endswith(CONTRACTS) and "[" in test:
        return test[test.index("[") + 1 : -1]
    return nodeid if file.endswith(COMMANDS) else file
