"""Object detection: which things are in this image, and where?

Read in this order: `config.py` (the choices), `data.py` (images with boxes, and their split),
`stages/blobs.py` (the baseline without a network), then the detector: `stages/letterbox.py`,
`stages/augment.py`, `stages/network.py`, `stages/assignment.py` (which cell learns which box, and
the loss), `stages/yolo.py` (fit and predict), `stages/postprocess.py` (non-maximum suppression),
`stages/thresholds.py`, `stages/counts.py`; last `pipeline.py`, `evaluate.py` with `evaluation/` and
`figures.py`, `train.py`, `serve.py`.
"""
