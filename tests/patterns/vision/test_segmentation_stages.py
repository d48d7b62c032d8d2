"""Stages of segmentation on planted data and hand cases."""

from pathlib import Path

import numpy as np
import pytest
import torch

from patterns.vision.segmentation.stages.augment import CropAugment, turn
from patterns.vision.segmentation.stages.objectives import dice_loss
from patterns.vision.segmentation.stages.postprocess import (
    Postprocess,
    drop_small,
    flood,
    split_touching,
)
from patterns.vision.segmentation.stages.preprocess import as_colour, mirror_pad, standardise
from patterns.vision.segmentation.stages.threshold import OtsuThreshold, foreground, otsu
from patterns.vision.segmentation.stages.tiling import predict_tiled, starts
from patterns.vision.segmentation.stages.unet import UNet


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc(height: int, width: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def test_otsu_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    grey = np.concatenate([rng.normal(60, 10, 700), rng.normal(170, 20, 300)]).clip(0, 255)
    grey = grey.astype(np.uint8).reshape(40, 25)

    def within(level: int) -> float:
        low, high = grey[grey <= level], grey[grey > level]
        return sum(part.var() * part.size for part in (low, high) if part.size)

    spread = [within(level) for level in range(256)]
    assert spread[otsu(grey)] == pytest.approx(min(spread))


def test_otsu_takes_the_smaller_side_bright_or_dark() -> None:
    blob = disc(40, 40, (20, 20), 8)
    for inside, outside in ((220, 20), (70, 230)):
        image = np.where(blob, inside, outside).astype(np.uint8)
        (mask,) = OtsuThreshold().predict([as_colour(image)])
        assert np.array_equal(mask, blob)
    assert not foreground(np.full((5, 5, 3), 9, np.uint8)).any()
    alike = np.where(blob[:, :, None], np.array([0, 0, 100]), np.array([38, 0, 0]))  # luma 11
    assert not foreground(alike.astype(np.uint8)).any()


def test_standardise_is_of_the_whole_image_and_survives_a_flat_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    out = standardise(image)
    assert out.shape == (3, 30, 20)
    assert abs(float(out.mean())) < 1e-5 and float(out.std()) == pytest.approx(1, abs=0.1)
    assert torch.equal(standardise(np.full((4, 4, 3), 77, np.uint8)), torch.zeros(3, 4, 4))


def test_mirror_pad_reflects_as_often_as_needed() -> None:
    image = torch.tensor([[[0.0, 1.0, 2.0]]])
    assert mirror_pad(image, 1, 8)[0, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert mirror_pad(torch.ones(1, 1, 1), 4, 4).shape == (1, 4, 4)
    assert mirror_pad(image, 1, 2).shape == (1, 1, 3)


def test_image_and_mask_are_cut_and_turned_together() -> None:
    rng = np.random.default_rng(0)
    masks = [torch.from_numpy(rng.random(size) < 0.4).float() for size in ((50, 70), (20, 90))]
    images = [mask.expand(3, -1, -1) * 2 - 1 for mask in masks]
    cut = CropAugment(crop=32, zoom=0.0, brightness=0.0, contrast=0.0, grey=0.0)
    crops, targets = cut(images, masks, generator())
    assert crops.shape == (2, 3, 32, 32) and targets.shape == (2, 32, 32)
    assert torch.equal(crops, (targets * 2 - 1)[:, None].expand(-1, 3, -1, -1))
    again, _ = cut(images, masks, generator())
    assert torch.equal(crops, again)


def test_zoomed_masks_stay_zero_or_one() -> None:
    masks = [torch.from_numpy(disc(64, 64, (30, 30), 14)).float()] * 8
    images = [mask.expand(3, -1, -1) for mask in masks]
    _, targets = CropAugment(crop=32, zoom=0.5)(images, masks, generator())
    assert set(targets.unique().tolist()) == {0.0, 1.0}


def test_turn_reaches_all_eight_positions() -> None:
    square = torch.arange(9.0).reshape(1, 1, 3, 3)
    seen = {tuple(turn(square, generator(seed)).flatten().tolist()) for seed in range(80)}
    assert len(seen) == 8


def test_tiles_cover_and_the_last_ends_at_the_end() -> None:
    for length in (10, 64, 65, 100, 500):
        first = starts(length, 64, 16)
        covered = {pixel for start in first for pixel in range(start, min(start + 64, length))}
        assert covered == set(range(length))
        assert all(later - earlier <= 48 for earlier, later in zip(first, first[1:], strict=False))


def test_joined_tiles_of_a_pixelwise_network_show_no_seam() -> None:
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 150, 201))).float()

    def pixelwise(part: torch.Tensor) -> torch.Tensor:
        assert part.shape[2] % 16 == 0 and part.shape[3] % 16 == 0
        return torch.sigmoid(part.sum(dim=1, keepdim=True))

    whole = torch.sigmoid(image.sum(dim=0))
    for tile in (64, 128, 512):
        joined = predict_tiled(pixelwise, image, tile=tile, overlap=32, multiple=16)
        assert torch.allclose(joined[0], whole, atol=1e-6)


def test_a_small_image_is_padded_by_reflection() -> None:
    image, seen = torch.arange(105.0).reshape(3, 5, 7), []

    def network(part: torch.Tensor) -> torch.Tensor:
        seen.append(part[0])
        return part[:, :2]

    assert predict_tiled(network, image, tile=16, overlap=8, multiple=8).shape == (2, 5, 7)
    assert seen[0].shape == (3, 8, 8) and torch.equal(seen[0][:, :5, :7], image)
    assert torch.equal(seen[0][:, 5, :7], image[:, 3]) and torch.equal(
        seen[0][:, :5, 7], image[:, :, 5]
    )


def test_where_tiles_overlap_one_fades_into_the_other() -> None:
    said = iter((0.2, 0.9))  # of the left tile, of the right tile

    def network(part: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 1, *part.shape[2:]), next(said))

    joined = predict_tiled(network, torch.zeros(3, 16, 24), tile=16, overlap=8, multiple=8)
    left, right = 0.2, 0.9
    share = torch.cat([torch.zeros(8), torch.arange(1, 9) / 9, torch.ones(8)])  # of the right tile
    assert torch.allclose(joined[0], (left * (1 - share) + right * share).expand(16, 24))


def test_unet_keeps_the_size_and_sees_far() -> None:
    torch.manual_seed(0)
    network = UNet(width=4, levels=3).eval()
    images = torch.randn(2, 3, 32, 48)
    before = network(images)
    assert before.shape == (2, 1, 32, 48)
    images[0, :, 0, 0] += 10
    changed = (network(images) - before).abs() > 1e-7
    assert changed[0, 0, 10, 10] and not changed[1].any()


def test_dice_loss_by_hand() -> None:
    truth = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    assert float(dice_loss(truth, truth)) == pytest.approx(0)
    half = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]])
    assert float(dice_loss(half, truth)) == pytest.approx(1 - 3 / 5)
    empty = torch.zeros(1, 1, 4)
    assert float(dice_loss(empty, empty)) == pytest.approx(0)


def test_touching_discs_are_told_apart() -> None:
    left, right = disc(60, 90, (30, 28), 16), disc(60, 90, (30, 56), 16)
    labels = split_touching(left | right, smoothing=1.5)
    assert len(np.unique(labels)) == 3
    assert np.array_equal(labels > 0, left | right)
    assert labels[30, 28] != labels[30, 56]
    assert Postprocess(smoothing=0.0).separate(left | right).max() == 1


def test_nuclei_cut_by_the_border_are_told_apart_too() -> None:
    cut = disc(50, 90, (8, 28), 16) | disc(50, 90, (8, 48), 16)
    assert len(np.unique(split_touching(cut, smoothing=1.5))) == 3


def test_pixels_that_meet_at_a_corner_touch() -> None:
    corner = np.kron(np.eye(2), np.ones((4, 4))).astype(bool)
    assert Postprocess(smoothing=0.0, smallest=1).separate(corner).max() == 1


def test_a_flood_goes_downhill_and_stays_inside() -> None:
    height = np.array([[3, 2.5, 2, 1.5, 1, 3]])
    seeds = np.array([[1, 0, 0, 0, 0, 2]])
    everywhere = np.ones((1, 6), bool)
    assert flood(height, seeds, everywhere).tolist() == [[1, 1, 1, 1, 2, 2]]
    assert flood(height, seeds, height != 2).tolist() == [[1, 1, 0, 2, 2, 2]]


def test_the_parts_of_one_object_take_no_number_of_another() -> None:
    pair = disc(110, 90, (30, 28), 16) | disc(110, 90, (30, 56), 16)
    labels = split_touching(pair | disc(110, 90, (80, 40), 16), smoothing=1.5)
    assert len(np.unique(labels)) == 4
    assert labels[80, 40] not in labels[pair]


def test_one_disc_stays_one_and_nothing_stays_nothing() -> None:
    assert split_touching(disc(50, 50, (25, 25), 15), smoothing=1.0).max() == 1
    assert split_touching(np.ones((20, 20), bool), smoothing=1.0).max() == 1
    assert not split_touching(np.zeros((9, 9), bool), smoothing=1.0).any()


def test_small_objects_go_and_the_numbering_closes() -> None:
    labels = np.array([[1, 1, 0, 2, 0, 5, 5, 5]])
    assert drop_small(labels, smallest=2).tolist() == [[1, 1, 0, 0, 0, 2, 2, 2]]
    assert drop_small(labels, smallest=2).dtype == np.uint16


def test_postprocess_finds_the_area_of_specks() -> None:
    nucleus, speck = disc(40, 40, (18, 18), 10), np.zeros((40, 40), bool)
    speck[33:36, 33:36] = True  # 9 pixels, more than the least area that is tried
    seen = np.where(nucleus | speck, 0.9, 0.1).astype(np.float32)
    chosen = Postprocess().fit([seen], [nucleus.astype(np.uint16)])
    assert chosen.smallest_ == 15 and np.array_equal(chosen.instances(seen), nucleus)


def test_the_foreground_is_above_the_threshold() -> None:
    assert Postprocess(threshold=0.5).mask(np.array([[0.5, 0.6]])).tolist() == [[False, True]]


def test_postprocess_finds_the_planted_threshold_and_the_need_to_split(tmp_path: Path) -> None:
    truth, maps = [], []
    for shift in range(3):
        left, right = disc(60, 90, (30, 26 + shift), 15), disc(60, 90, (30, 53 + shift), 15)
        truth.append(left.astype(np.uint16) + 2 * (right & ~left).astype(np.uint16))
        halo = disc(60, 90, (30, 26 + shift), 20) | disc(60, 90, (30, 53 + shift), 20)
        maps.append(np.where(left | right, 0.9, np.where(halo, 0.55, 0.1)).astype(np.float32))
    chosen = Postprocess().fit(maps, truth)
    assert chosen.threshold_ in (0.6, 0.7)
    assert chosen.smoothing_ > 0
    assert [chosen.instances(each).max() for each in maps] == [2, 2, 2]
    chosen.save(tmp_path)
    assert vars(Postprocess.load(tmp_path)) == vars(chosen)
