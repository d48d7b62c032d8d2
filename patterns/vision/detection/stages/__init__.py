"""The boxes of detection's diagram.

Baseline first: `blobs` (colour threshold and connected components). Then the detector: `letterbox`
(any image to the network's size and boxes back), `augment`, `network`, `assignment` (which cell
learns which box, and the loss), `yolo` (fit, predict, save, load), `postprocess` (non-maximum
suppression), `thresholds` (the least score of each class) and `counts` (how many there are).
"""
