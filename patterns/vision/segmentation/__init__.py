"""Segmentation: which pixels belong to an object, and which object is it?

Read in this order: `config.py` (the choices), `data.py` (images, masks, and a split that keeps the
tiles of one slide together), `stages/preprocess.py` (one normalisation for every microscope),
`stages/threshold.py` (Otsu, the baseline), `stages/unet.py` (the network), `stages/augment.py` and
`stages/training.py` (random crops, cross-entropy + Dice), `stages/tiling.py` (images of any size),
`stages/postprocess.py` (probabilities to separate objects), and last `pipeline.py`, `evaluate.py`
with `evaluation/` and `figures.py`, `protocols.py`, `train.py`, `serve.py`.
"""
