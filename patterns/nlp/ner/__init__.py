"""Named-entity recognition: which words of this text are a name, of what, and where do they stand?

Read in this order: `config.py` (the choices), `entities/tags.py`, `entities/sentences.py` and
`data.py` (tags, sentences, the split and its leaks), `stages/gazetteer.py` and `stages/linear.py`
(the baselines), `stages/words.py` (a text to words with their places), `stages/shapes.py` (how
words are written), `stages/pieces.py` (words to pieces and windows), `stages/network.py` and
`stages/encoder.py` (the fine-tuned transformer), `stages/decoding.py` (scores to tags that the
scheme allows, with confidence), `stages/export.py` (to ONNX, with a parity check),
`common/evaluation/spans.py` (what counts as found), and last `pipeline.py`, `evaluate.py` with
`evaluation/`, `train.py`, `serve.py`.
"""
