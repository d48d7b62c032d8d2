"""recommend as a user types it, reasons, and what a new user may tell a server."""

import numpy as np
import pytest

from patterns.recsys import recommend
from patterns.recsys.serve import RecommendService


@pytest.fixture(scope="module")
def service(trained) -> RecommendService:
    return RecommendService(trained.run)


def ask(service: RecommendService, **fields):
    return service.predict([service.Request(**fields)])[0]


def test_recommend_prints_the_page_with_reasons(trained, capsys, pipeline) -> None:
    runs = trained.config.runs
    recommend.main(recommend.RecommendConfig(user="u00007", k=3, runs=runs))
    out = capsys.readouterr().out
    assert "user u00007" in out and "found by" in out and "because you chose" in out
    assert out.count("found by") == 3
    recommend.main(recommend.RecommendConfig(user="nobody", k=2, runs=runs))
    captured = capsys.readouterr()
    assert "somebody new" in captured.out and "'nobody' is not known" in captured.err
    assert "popular lately" in captured.out
    title = pipeline.catalogue.titles[10]
    recommend.main(recommend.RecommendConfig(like="m00010", k=2, runs=runs))
    out = capsys.readouterr().out
    ways = ("als", "item-knn", "ease", "two-tower", "content")
    assert out.startswith(f"  similar to {title}")
    assert [line.strip() for line in out.splitlines() if " by " in line] == [
        f"by {way}:" for way in ways
    ]


def test_recommend_is_told_what_the_page_is_for(trained, capsys, pipeline) -> None:
    runs, device = trained.config.runs, pipeline.catalogue.contexts["device"][0]
    told = (f"device={device}",)
    recommend.main(recommend.RecommendConfig(user="u00007", context=told, k=2, runs=runs))
    assert capsys.readouterr().out.count("found by") == 2
    assert recommend._told(told, pipeline.catalogue.contexts) == {"device": device}
    recommend.main(recommend.RecommendConfig(context=("device=fridge",), k=1, runs=runs))
    assert "device 'fridge' is not known" in capsys.readouterr().err
    for wrong in ("weather=sun", "device"):
        with pytest.raises(ValueError, match=f"context: '{wrong}' .* with a name out of: device"):
            recommend.main(recommend.RecommendConfig(context=(wrong,), runs=runs))


def test_an_unknown_item_and_a_number_out_of_range_are_named(trained) -> None:
    with pytest.raises(ValueError, match="item: 'x' is not in the catalogue of 1,200 items"):
        recommend.main(recommend.RecommendConfig(like="x", runs=trained.config.runs))
    with pytest.raises(ValueError, match="k: 0 is out of range"):
        recommend.RecommendConfig(k=0)


def test_a_reason_names_items_of_the_history(pipeline) -> None:
    request = pipeline.requests_for(np.array([7]), [[]])
    page = pipeline.recommend(request, 5)
    titles = {pipeline.catalogue.titles[row] for row in request.seen.indices}
    for item, bits in zip(page.items.item_ids[0], page.found_by[0], strict=True):
        found_by = pipeline.sources.found_by(int(bits))
        words = pipeline.sources.reason(request, int(item), pipeline.catalogue.titles, found_by)
        named = words.removeprefix("because you chose ").split(" and ")
        assert words.startswith("because you chose ") and set(named) <= titles
    nobody = pipeline.requests_for(np.array([-1]), [[]])
    words = pipeline.sources.reason(nobody, 3, pipeline.catalogue.titles, ["popularity"])
    assert words == "popular lately"


def test_a_new_user_is_asked_and_the_answers_change_the_page(service) -> None:
    first = ask(service, k=8)
    assert not first.known_user and first.ask is not None
    asked = [first.ask.item_id]
    answers = {first.ask.item_id: "liked"}
    for _ in range(10):
        following = ask(service, k=8, survey=answers)
        if following.ask is None:
            break
        assert following.ask.item_id not in answers
        asked.append(following.ask.item_id)
        answers[following.ask.item_id] = "unknown"
    assert len(asked) == len(set(asked)) >= 2
    page = [item.item_id for item in following.items]
    assert page != [item.item_id for item in first.items]
    assert first.items and asked[0] not in page  # what was liked is known already
    assert ask(service, user_id="u00007", k=3).ask is None


def test_what_a_new_user_tells_counts_and_nonsense_counts_for_nothing(service) -> None:
    catalogue = service.pipeline.catalogue
    told = catalogue.segment_of({"age": 30, "gender": "F", "occupation": "doctor"})
    row = catalogue.user_row("u00007")
    names = catalogue.segment_names
    assert told.shape == (len(names),) and (told > 0).all()
    assert (catalogue.segment_of({"gender": "dragon"}) == 0).all()
    known = catalogue.segments[row]
    assert all(0 <= code < size for code, size in zip(known, catalogue.segment_sizes, strict=True))
    young = [item.score for item in ask(service, k=20, age=20, gender="F").items]
    plain = [item.score for item in ask(service, k=20).items]
    assert young != plain
    nonsense = ask(service, k=20, gender="dragon", device="toaster")
    assert [item.score for item in nonsense.items] == pytest.approx(plain)


def test_an_unknown_item_in_the_survey_is_refused(service) -> None:
    from common.serving import RequestError

    with pytest.raises(RequestError, match="survey: no such item"):
        ask(service, survey={"no such": "liked"})


def test_reasons_can_be_left_out(service) -> None:
    assert all(item.reason for item in ask(service, user_id="u00007", k=3).items)
    quick = ask(service, user_id="u00007", k=3, reasons=False)
    assert not any(item.reason for item in quick.items)
    assert all(item.propensity == 1.0 for item in quick.items)
