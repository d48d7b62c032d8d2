"""Text classification: which of many labels does this text have, does any, and how sure is that?

Read in this order: `config.py` (the choices), `entities/texts.py` and `data.py` (texts, labels, the
split and its leaks), `stages/tfidf.py` (the baseline), `common/encoders/tokens.py` (texts to token
ids, the same in training and serving), `stages/frozen.py` (the encoder as it comes),
`stages/pooled.py`, `stages/encoder.py` and `stages/guide.py` (the fine-tuned transformer, and what
it takes over from the frozen one), `stages/features.py` (what stands in if no transformer is
available), `stages/pruning.py` and `stages/student.py` (a smaller one taught by it),
`stages/export.py` and `stages/quantisation.py` (to ONNX and to int8, each behind a check),
`common/probabilities.py` (calibrated probabilities, top-k), `stages/scope.py` (texts that no label
fits), and last `pipeline.py`, `evaluate.py` with `evaluation/` and `figures.py`, `train.py`,
`serve.py`.
"""
