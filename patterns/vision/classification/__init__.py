"""Image classification: what does this picture show, and how sure may one be?

Read in this order: `config.py` (the choices), `data.py` (images, labels, the split),
`stages/preprocess.py` (pixels to tensors, the same in training and serving), `stages/network.py`
(fit, predict, save, load of any network), then the three models: `stages/linear.py` (the
baseline), `stages/cnn.py` (a small ResNet), `stages/mobilenet.py` (transfer from ImageNet);
`stages/augment.py`, `common/probabilities.py` (calibrated probabilities, top-k), and last
`pipeline.py`, `evaluate.py`, `train.py`, `serve.py`.
"""
