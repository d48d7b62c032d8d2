"""Stages of image classification on planted data and hand cases."""

import numpy as np
import pytest
import torch
from planted import stripes

from patterns.vision.classification.stages import augment, mobilenet
from patterns.vision.classification.stages.cnn import CnnClassifier
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.preprocess import Normalise, Preprocess
from patterns.vision.classification.stages.resnet9 import ResNet9, ResNet9Classifier


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_images(count: int = 6, channels: int = 1, size: int = 12) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, channels, size, size), generator=generator(), dtype=torch.uint8
    )


def test_shift_without_flip_moves_the_image_and_fills_with_black() -> None:
    image = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    image[0, 0, 4, 4] = 255
    places = set()
    for seed in range(60):
        moved = augment.shift_and_flip(image, generator(seed), pixels=1, flip=False)
        assert moved.sum() == 255
        row, column = divmod(int(moved.flatten().argmax()), 9)
        places.add((row - 4, column - 4))
    assert places == {(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)}


def test_flip_alone_gives_the_image_or_its_mirror() -> None:
    images = some_images(count=40, channels=3)
    flipped = augment.shift_and_flip(images, generator(), pixels=0, flip=True)
    same = (flipped == images).flatten(1).all(dim=1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(dim=1)
    assert (same | mirrored).all()
    assert 8 < int(mirrored.sum()) < 32


def test_rotation_by_nothing_keeps_and_by_much_changes() -> None:
    images = some_images()
    assert torch.equal(augment.rotate(images, generator(), degrees=0.0), images)
    turned = augment.rotate(images, generator(), degrees=45.0)
    assert turned.shape == images.shape and turned.dtype == torch.uint8
    assert not torch.equal(turned, images)


def test_erasing_takes_one_rectangle_of_the_promised_area() -> None:
    images = torch.zeros(200, 1, 30, 30, dtype=torch.uint8)
    images[:, :, :15] = 200
    assert torch.equal(augment.erase(images, generator(), share=0.0), images)
    changed = augment.erase(images, generator(), share=1.0) == 100  # the mean
    area = changed.float().mean(dim=(1, 2, 3))
    assert area.max() < 0.36 and area.min() > 0.01
    rows, columns = changed.any(dim=3).sum(dim=2), changed.any(dim=2).sum(dim=2)
    assert torch.equal((rows * columns)[:, 0], changed.sum(dim=(1, 2, 3)))  # filled rectangles


def test_mixup_keeps_targets_a_distribution_and_blends_images_alike() -> None:
    images = torch.tensor([0, 100], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 4, 4)
    targets = torch.eye(2)
    mixed, blended = augment.mix(images, targets, generator(3), alpha=1.0)
    assert torch.allclose(blended.sum(dim=1), torch.ones(2))
    assert torch.allclose(mixed[:, 0, 0, 0], 100 * blended[:, 1])


def test_augmenting_is_a_function_of_the_generator() -> None:
    change = augment.Augment(crop=0.16, flip=True, rotation=10, erasing=0.5, mixup=0.2)
    images, targets = some_images(), torch.eye(6)
    first, second, other = (change(images, targets, generator(s))[0] for s in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_preprocess_brings_any_image_to_the_training_shape() -> None:
    grey = Preprocess(size=8, channels=1)
    images = [np.full((8, 8), 7, np.uint8), np.full((20, 10, 3), 90, np.uint8)]
    batch = grey.batch(images)
    assert batch.shape == (2, 1, 8, 8) and batch.dtype == np.uint8
    assert np.unique(batch[0]).tolist() == [7] and np.unique(batch[1]).tolist() == [90]
    colour = Preprocess(size=8, channels=3)
    assert colour.batch(images).shape == (2, 3, 8, 8)
    assert colour.batch([]).shape == (0, 3, 8, 8)


def test_preprocess_of_an_array_equals_image_by_image() -> None:
    for shape in ((5, 8, 8), (5, 8, 8, 3)):
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        stage = Preprocess.like(images, size=8)
        assert np.array_equal(stage.batch(images), stage.batch(list(images)))


def test_preprocess_keeps_the_size_of_the_data_within_limits() -> None:
    for side, size in ((8, 16), (28, 28), (200, 96)):
        assert Preprocess.like(np.zeros((2, side, side), np.uint8)).size == size
    assert Preprocess.like(np.zeros((2, 20, 40, 3), np.uint8)).size == 40
    assert Preprocess.like(np.zeros((2, 8, 8), np.uint8), size=8).size == 8


def test_normalise_gives_zero_mean_and_unit_deviation() -> None:
    images = some_images(count=50, channels=3)
    out = Normalise(channels=3).fit(images)(images)
    assert torch.allclose(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-3)
    assert torch.allclose(out.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-3)


def test_the_network_learns_shapes_that_the_linear_baseline_cannot() -> None:
    train, valid, test = stripes(384, seed=0), stripes(64, seed=1), stripes(200, seed=2)
    common = {"classes": 2, "epochs": 4, "least_steps": 0, "batch_size": 32}
    scores = {}
    for stage in (
        LinearClassifier(**common),
        CnnClassifier(widths=(8, 16), **common),
        ResNet9Classifier(width=4, **common | {"epochs": 8}),
    ):
        answers = stage.fit(train, valid).predict(test.images)
        scores[stage.name] = (answers.argmax(axis=1) == test.labels).mean()
    assert min(scores["cnn"], scores["resnet9"]) > 0.95
    assert scores["linear"] < 0.7


@pytest.mark.parametrize("size", [8, 20, 32, 64, 96])
def test_resnet9_sees_images_of_any_size_at_about_32_positions(size: int) -> None:
    network = ResNet9(channels=3, classes=4, size=size, width=2)
    images = torch.zeros(2, 3, size, size)
    assert network(images).shape == (2, 4)
    assert network.layers[0](images).shape[-1] in (8, 20, 32)


def test_a_small_data_set_gets_more_epochs() -> None:
    part = stripes(64, seed=0)
    stage = LinearClassifier(classes=2, epochs=1, least_steps=7, batch_size=32).fit(part, part)
    assert stage.history_ is not None and len(stage.history_.valid) == 4  # of two steps each


def start_of(stage: mobilenet.MobileNetClassifier) -> mobilenet.MobileNet:
    module = stage.prepare(stage.build(channels=1, size=12))
    assert isinstance(module, mobilenet.MobileNet)
    return module


def mobile_net(**options: object) -> mobilenet.MobileNetClassifier:
    return mobilenet.MobileNetClassifier(input_size=32, **options)


def test_mobilenet_says_that_it_starts_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("no network")

    monkeypatch.setattr(mobilenet, "_from_torchvision", refuse)
    stage = mobile_net(classes=5)
    module = start_of(stage)
    notice = stage.notice_
    assert notice is not None and "from scratch" in notice and "no network" in notice
    assert module(some_images(count=2)).shape == (2, 5)
    silent = mobile_net(classes=5, weights="none")
    start_of(silent)
    assert silent.notice_ is None


def test_mobilenet_takes_a_backbone_from_a_safetensors_file(tmp_path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(1)
    donor = start_of(mobile_net(classes=1000, weights="none"))
    save_file(donor.network.state_dict(), tmp_path / "weights.safetensors")
    stage = mobile_net(classes=3, weights=str(tmp_path / "weights.safetensors"))
    network = start_of(stage)
    assert stage.notice_ is None
    assert torch.equal(network.network.features[0][0].weight, donor.network.features[0][0].weight)
    assert network(some_images(count=2)).shape == (2, 3)


def test_mobilenet_refuses_wrong_weights_naming_the_flag(tmp_path) -> None:
    from safetensors.torch import save_file

    def start_from(name: str) -> None:
        start_of(mobile_net(classes=3, weights=str(tmp_path / name)))

    with pytest.raises(ValueError, match=r"mobilenet.weights.*does not exist"):
        start_from("none.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(ValueError, match="not a safetensors file"):
        start_from("text.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="are not in the file"):
        start_from("other.safetensors")
