"""What can serve, by the name that a saved pipeline knows it by."""

from __future__ import annotations

from patterns.vision.classification.stages.cnn import CnnClassifier
from patterns.vision.classification.stages.efficientnet import EfficientNetClassifier
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.mobilenet import MobileNetClassifier
from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.resnet9 import ResNet9Classifier

CLASSIFIERS: tuple[type[NetworkClassifier], ...] = (
    LinearClassifier,
    CnnClassifier,
    ResNet9Classifier,
    MobileNetClassifier,
    EfficientNetClassifier,
)
SERVABLE = {stage.name: stage for stage in CLASSIFIERS}
