"""Text classification: which of many labels does this text have, and how sure may one be?

Read in this order: `config.py` (the choices), `entities/texts.py` and `data.py` (texts, labels, the
split and its leaks), `stages/tfidf.py` (the baseline), `common/encoders/tokens.py` (texts to token
ids, the same in training and serving), `stages/encoder.py` (the fine-tuned transformer),
`stages/features.py` (what stands in for it if no transformer is available), `stages/export.py` (to
ONNX, with a parity check), `common/probabilities.py` (calibrated probabilities, top-k), and last
`pipeline.py`, `evaluate.py` with `figures.py`, `train.py`, `serve.py`.
"""
