"""Vision: three tasks, each a whole pattern of its own with the same listing.

`classification` names what an image shows, `detection` finds and names the objects in it by
boxes, `segmentation` marks every pixel of them. Read `classification` first: it has the shortest
path from pixels to an answer. Then `detection` (assignment of objects to grid cells, non-maximum
suppression) or `segmentation` (an encoder-decoder, tiles, instances from a mask).

`python -m patterns.vision.train` runs classification; a task's name in front of the flags picks
another: `python -m patterns.vision.train segmentation --preset smoke`.
"""

TASKS = ("classification", "detection", "segmentation")
