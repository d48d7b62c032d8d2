"""Question answering: find the passage that tells, mark the answer in it, or say that none does.

Read in this order: `config.py` (the choices), `entities/` (questions, passages, answers) and
`data.py` (the split and its leaks), `stages/overlap.py` (the baseline), `stages/windows.py` and
`stages/spans.py` (a long context in windows, and from logits back to characters),
`stages/reader.py` (the fine-tuned transformer), `stages/export.py` (to ONNX), `stages/chunks.py`
and `stages/retrieval.py` (which passages to read), `stages/answering.py` (from passages to one
answer, or none). For answers in words of their own: `stages/gpt.py`, `stages/decoding.py` with
`stages/sampling.py`, `stages/lora.py`, `stages/packing.py` and `stages/generator.py`. And last
`pipeline.py`, `evaluate.py` with `evaluation/`, `train.py`, `serve.py`.
"""
