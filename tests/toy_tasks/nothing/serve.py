"""Artifact -> HTTP: a task that no test trains."""

from toy_tasks.names.serve import NamesService as Base


class NothingService(Base):
    """Is never trained."""

    name = "toy/nothing"
