"""Image classification: what does this image show, and how sure may one be?

Read in this order: `config.py` (the choices), `entities/images.py` and `data.py` (images, labels,
the split), `stages/preprocess.py` (any image to the size that was trained on, the same in training
and serving), `stages/network.py` (fit, predict, save, load of any network), then the models:
`stages/linear.py` (the baseline), `stages/cnn.py` (a small ResNet), `stages/resnet9.py` (for colour
photographs), `stages/efficientnet.py` and `stages/mobilenet.py` (transfer from ImageNet);
`stages/augment.py`, `common/probabilities.py` (calibrated probabilities, top-k), and last
`pipeline.py`, `evaluate.py` with `figures.py`, `train.py`, `serve.py`.
"""
