"""The small GPT: causal, tied, the same with a cache, padding and packing, and quicker with it."""

from __future__ import annotations

import pytest
import torch
from planted_facts import facts

from patterns.nlp.qa.stages.decoding import generate
from patterns.nlp.qa.stages.gpt import Gpt, Uncached
from patterns.nlp.qa.stages.gpt_generator import byte_pairs, cache_gain
from patterns.nlp.qa.stages.prompts import CONTROL
from patterns.nlp.qa.stages.sampling import Sampler

TEXTS = [each.text for each in facts(40).paragraphs] + facts(40).texts


def small_gpt(kind: type[Gpt] = Gpt) -> Gpt:
    """Give one whose next token hangs on all tokens before it."""
    module = kind(vocabulary=50, width=32, layers=2, heads=4, max_length=64).eval()
    random = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=random)
    return module


@pytest.fixture(scope="module")
def gpt() -> Gpt:
    return small_gpt()


def test_a_position_sees_itself_and_those_before_it(gpt: Gpt) -> None:
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    changed = ids.clone()
    changed[0, 3] = 20
    before, after = gpt(ids), gpt(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:], atol=1e-3)


def test_the_matrix_that_reads_tokens_writes_them(gpt: Gpt) -> None:
    h = gpt(torch.tensor([[1, 2]]))
    assert torch.allclose(gpt.logits(h), h @ gpt.tokens.weight.T, atol=1e-5)
    assert not [name for name, _ in gpt.named_parameters() if "head" in name]


class NoCache(Gpt):
    """A GPT that writes by reading all again."""

    def writer(self) -> Uncached:  # type: ignore[override]
        return Uncached(self)


def test_with_the_cache_and_without_it_the_same_is_written(gpt: Gpt) -> None:
    slow = small_gpt(NoCache)
    prompts = [[3, 1, 4], [1, 5, 9], [2, 6, 5]]
    options: dict = {"stop": [0], "max_new_tokens": 40, "choose": Sampler()}
    found = generate(gpt, prompts, **options)
    assert found == generate(slow, prompts, **options)
    assert len({tuple(each) for each in found}) == 3 and max(map(len, found)) > 10


def test_padding_on_the_left_changes_nothing(gpt: Gpt) -> None:
    prompts = [[3], [1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]]
    options: dict = {"stop": [0], "max_new_tokens": 12, "choose": Sampler()}
    alone = [generate(gpt, [prompt], **options)[0] for prompt in prompts]
    assert generate(gpt, prompts, **options) == alone


def test_byte_pairs_know_any_text_and_no_control_token_comes_from_one() -> None:
    tokenizer = byte_pairs(TEXTS, 300)
    assert [tokenizer.token_to_id(each) for each in CONTROL] == [0, 1, 2, 3]
    for text in ("Ada lives in Rome .", "日本語 🎬", "<end><answer>"):
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids).strip() == text and min(ids) > 3
    alone = tokenizer.encode("Rome").ids
    assert tokenizer.encode("in Rome").ids[-len(alone) :] == alone  # the same wherever it stands


@pytest.mark.slow
def test_the_cache_saves_time() -> None:
    module = Gpt(vocabulary=500, width=128, layers=4, heads=4, max_length=320).eval()
    cached, uncached = cache_gain(module, tokens=300)
    assert uncached > 1.5 * cached
