"""The stages of translation work in a folder that holds them and what they import, alone."""

import json
from pathlib import Path

import pytest
from lifting import copy_stages, run_lifted

PAIRS = [
    [f"the {size} {thing}", f"la {name} {large}"]
    for size, large in (("big", "granda"), ("small", "pikola"), ("red", "ruga"))
    for thing, name in (("house", "doma"), ("dog", "kuna"), ("boat", "sipa"), ("bell", "tinta"))
] * 4
SCRIPT = """
import json
from pathlib import Path

from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages.lexicon import Lexicon
from patterns.nlp.translation.stages.subwords import Subwords
from patterns.nlp.translation.stages.translator import Translator

sources, targets = zip(*json.loads(Path("pairs.json").read_text()))
pairs = Pairs(list(sources), list(targets))
subwords = Subwords(vocabulary=300).fit([*sources, *targets])
translator = Translator(
    width=32, hidden=64, dropout=0.0, epochs=30, batch_tokens=200, learning_rate=5e-3, ema=0.0,
    encoder_layers=1, decoder_layers=1, precision="fp32",
).fit(pairs, pairs, subwords)
answers = {}
for name, stage in (("lexicon", Lexicon().fit(pairs)), ("translator", translator)):
    Path(name).mkdir()
    stage.save(Path(name))
    (said,) = type(stage).load(Path(name)).translate(["the red bell"])
    answers[name] = said if isinstance(said, str) else said[0].text
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_a_translator_can_leave(tmp_path: Path) -> None:
    copy_stages("nlp/translation", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/nlp/translation").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    (tmp_path / "pairs.json").write_text(json.dumps(PAIRS))
    answers = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    assert answers == {"lexicon": "la ruga tinta", "translator": "la tinta ruga"}
