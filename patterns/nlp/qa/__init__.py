"""Question answering: find the passage that tells, mark the answer in it, or say that none does.

Read in this order: `config.py` (the choices), `entities/` (questions, passages, answers) and
`data.py` (the split and its leaks), `stages/overlap.py` (the baseline), `stages/features.py` and
`stages/spans.py` (a long context in windows, and from logits back to characters),
`stages/reader.py` (the fine-tuned transformer), `stages/export.py` (to ONNX), `stages/chunks.py`
and `stages/retrieval.py` (which passages to read), `stages/answering.py` (from passages to one
answer, or none), and last `pipeline.py`, `evaluate.py` with `evaluation/`, `train.py`, `serve.py`.
"""
