"""A user's own images with boxes, in any of three layouts: Pascal VOC, COCO or YOLO.

`voc`, `coco` and `yolo` each turn files that `places` finds into `LabelledImage`s (`labelled`);
`fitting` brings the boxes into pixels of the image as it is seen, `parts` keeps or draws the split,
and `table` makes the one table that all three end in. Faults of all files are told at once.
"""
