"""The service and the command line over a saved run."""

import pytest
from fastapi.testclient import TestClient

from common.artifacts import Run
from common.serving import create_app
from patterns.search_ranking.search import SearchConfig, main
from patterns.search_ranking.serve import SearchService


@pytest.fixture(scope="module")
def run(small, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("search") / "run"
    (folder / "pipeline").mkdir(parents=True)
    small.pipeline.save(folder / "pipeline")
    return Run(folder, {"name": "search_ranking"})


@pytest.fixture(scope="module")
def client(run: Run):
    with TestClient(create_app(SearchService(run), run)) as client:
        yield client


def test_the_answer_is_the_pipelines(client, small) -> None:
    query = small.splits.test.texts[0]
    answer = client.post("/predict", json={"query": query, "k": 4}).json()
    (page,) = small.pipeline.search([query], 4).hits
    assert [each["doc_id"] for each in answer["results"]] == [hit.doc_id for hit in page]
    assert answer["results"][0]["reasons"] == list(page[0].reasons)
    document = small.pipeline.documents.row(page[0].row, named=True)
    assert answer["results"][0]["facts"]["director"] == document["director"]
    assert answer["results"][0]["snippet"].strip("… ") in document["overview"]
    assert set(answer["stage_ms"]) == {"candidates", "ranking", "re-ranking", "reasons"}
    assert answer["model_version"] == "run"


def test_requests_of_other_filters_and_lengths_do_not_mix(client) -> None:
    requests = [
        {"query": "ghosts", "k": 3},
        {"query": "ghosts", "k": 5, "genre": "Western"},
        {"query": "spy", "k": 3, "year_from": 2000, "year_to": 2010},
    ]
    together = client.post("/predict/batch", json={"requests": requests}).json()["responses"]
    for request, answer in zip(requests, together, strict=True):
        single = client.post("/predict", json=request).json()
        assert [r["doc_id"] for r in single["results"]] == [r["doc_id"] for r in answer["results"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": " ?! "}, "query"),
        ({"k": 0}, "k"),
        ({"genre": "Sci-Fy"}, "genre"),
        ({"director": "Nobody At All"}, "director"),
        ({"year_from": 2000, "year_to": 1990}, "year_from"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(client, change, field) -> None:
    answer = client.post("/predict", json={"query": "ghost"} | change)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == field and error["remedy"]


def test_the_command_line_shows_a_page(run, capsys, monkeypatch) -> None:
    monkeypatch.setattr("common.artifacts.open_run", lambda *args, **kwargs: run)
    main(SearchConfig(query="ghost story", k=3))
    shown = capsys.readouterr().out
    assert "1." in shown and "bm25" in shown and "candidates" in shown
