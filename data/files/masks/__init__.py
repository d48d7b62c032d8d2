"""A user's own images with masks, for both tasks: numbered objects, or a class for each pixel.

places     the folders of images and masks, and which part they are
pairs      each image with its mask, by their names
decoding   a mask file -> values, whatever kind of image it is
kinds      whether values look like numbers of objects or like classes
objects    -> SegmentationImages          semantic    -> SemanticImages
"""
