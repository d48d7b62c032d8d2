"""Overlap, task-aligned assignment and the loss, on cells and boxes placed by hand."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from patterns.vision.detection.stages.assignment import DetectionLoss, assign, overlap
from patterns.vision.detection.stages.network import Network, Predictions, cells, decode

SHAPES = [(8, 8), (4, 4), (2, 2)]  # an image of 64 x 64
NOTHING = torch.tensor([[-1]])


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Work this small is slower on two threads, and far slower where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def predictions(logits: torch.Tensor, boxes: torch.Tensor) -> Predictions:
    centres, strides = cells(SHAPES, torch.device("cpu"))
    return Predictions(
        logits, torch.zeros(*logits.shape[:2], 4, 8), boxes.expand(len(logits), -1, -1), centres,
        strides,
    )  # fmt: skip


def test_overlap_equals_torchvision() -> None:
    from torchvision.ops import box_iou, complete_box_iou

    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 50, (2, 40, 2)), rng.uniform(2, 40, (2, 40, 2))
    a, b = torch.from_numpy(np.concatenate([corner, corner + size], axis=2))
    assert torch.allclose(overlap(a[:, None], b[None]), box_iou(a, b), atol=1e-6)
    ours = overlap(a[:, None], b[None], complete=True)
    assert torch.allclose(ours, complete_box_iou(a, b), atol=1e-5)


def test_cells_lie_at_the_middle_of_their_stride() -> None:
    centres, strides = cells(SHAPES, torch.device("cpu"))
    assert centres.shape == (64 + 16 + 4, 2)
    assert centres[1].tolist() == [12.0, 4.0] and centres[-1].tolist() == [48.0, 48.0]
    assert strides[[0, 64, 80]].tolist() == [8.0, 16.0, 32.0]


def test_decoding_a_sure_distance_gives_that_box() -> None:
    centres, strides = cells(SHAPES, torch.device("cpu"))
    logits = torch.full((1, 84, 4, 8), -50.0)
    logits[..., 2] = 50.0  # two strides to every side
    boxes = decode(logits, centres, strides)
    assert torch.allclose(boxes[0, 0], torch.tensor([4 - 16.0, 4 - 16.0, 4 + 16.0, 4 + 16.0]))


def test_only_cells_inside_a_box_learn_it_and_the_best_get_the_iou_as_target() -> None:
    true = torch.tensor([[[8.0, 8, 40, 40]]])
    centres, _ = cells(SHAPES, torch.device("cpu"))
    guess = torch.tensor([8.0, 8, 40, 40]).repeat(84, 1)
    targets = assign(predictions(torch.zeros(1, 84, 2), guess), true, torch.tensor([[1]]))
    chosen = targets.foreground[0]
    assert int(chosen.sum()) == 10
    inside = ((centres > 8) & (centres < 40)).all(dim=1)
    assert not (chosen & ~inside).any()
    assert torch.allclose(targets.scores[0, chosen, 1], torch.ones(10), atol=1e-4)
    assert targets.scores[..., 0].sum() == 0 and targets.scores[0, ~chosen].sum() == 0


def test_the_best_cell_of_a_box_gets_its_iou_and_the_others_their_share_of_it() -> None:
    true = torch.tensor([[[8.0, 8, 40, 40], [44.0, 44, 64, 64]]])
    guess = torch.zeros(84, 4)
    guess[9] = torch.tensor([8.0, 8, 40, 33.6])  # IoU 0.8
    guess[10] = torch.tensor([8.0, 8, 40, 27.2])  # IoU 0.6
    guess[63] = torch.tensor([44.0, 44, 64, 54])  # IoU 0.5 with the second box
    targets = assign(predictions(torch.zeros(1, 84, 2), guess), true, torch.tensor([[1, 0]]))
    assert targets.foreground[0].nonzero()[:, 0].tolist() == [9, 10, 63]
    assert torch.equal(targets.boxes[0, [9, 10, 63]], true[0, [0, 0, 1]])
    expected = torch.zeros(84, 2)
    expected[9, 1], expected[10, 1], expected[63, 0] = 0.8, 0.8 * (0.6 / 0.8) ** 6, 0.5
    assert torch.allclose(targets.scores[0], expected, atol=1e-4)


def test_of_cells_that_overlap_alike_the_surest_of_the_class_learns() -> None:
    true = torch.tensor([[[8.0, 8, 40, 40]]])
    logits = torch.zeros(1, 84, 2)
    logits[0, 11, 0] = 3.0  # sure of the other class
    logits[0, 20, 1] = 2.0
    out = predictions(logits, true[0].repeat(84, 1))
    targets = assign(out, true, torch.tensor([[1]]), top_k=1)
    assert targets.foreground[0].nonzero()[:, 0].tolist() == [20]


def test_a_cell_wanted_twice_goes_to_the_box_it_overlaps_most() -> None:
    true = torch.tensor([[[0.0, 0, 32, 32], [0.0, 0, 36, 36]]])
    guess = torch.tensor([0.0, 0, 36, 36]).repeat(84, 1)
    targets = assign(predictions(torch.zeros(1, 84, 1), guess), true, torch.tensor([[0, 0]]))
    chosen = targets.boxes[0, targets.foreground[0]]
    assert (chosen == true[0, 1]).all()


def test_padding_teaches_nothing_and_an_image_without_boxes_gives_a_finite_loss() -> None:
    network = Network(classes=2, width=4)
    out = network(torch.rand(1, 3, 64, 64))
    targets = assign(out, torch.zeros(1, 1, 4), NOTHING)
    assert not targets.foreground.any() and targets.scores.sum() == 0
    loss = DetectionLoss()(out, torch.zeros(1, 1, 4), NOTHING)
    loss.backward()
    assert torch.isfinite(loss) and loss > 0


def test_the_loss_of_one_cell_by_hand() -> None:
    from torchvision.ops import complete_box_iou

    true, guess = torch.tensor([[[10.0, 8, 40, 40]]]), torch.zeros(84, 4)
    guess[9] = torch.tensor([10.0, 8, 40, 33.6])  # IoU 0.8, of the cell at (12, 12) of stride 8
    out = predictions(torch.zeros(1, 84, 2), guess)
    out.distances[0, 9, :, :2] = torch.tensor([4.0, 2.0]).log()  # 4/12, 2/12, then 1/12 each
    nearest, next_, other = math.log(12 / 4), math.log(12 / 2), math.log(12)
    sides = (0.75 * nearest + 0.25 * next_, 0.5 * nearest + 0.5 * next_, other, other)
    expected = {
        "box_gain": 0.8 * (1 - float(complete_box_iou(true[0], guess[9:10]))),
        "class_gain": 84 * 2 * math.log(2),
        "distance_gain": 0.8 * sum(sides) / 4,
    }
    for name, value in expected.items():
        alone = DetectionLoss(**{**dict.fromkeys(expected, 0.0), name: 1.0})
        assert float(alone(out, true, torch.tensor([[1]]))) == pytest.approx(value, rel=1e-4), name


def test_the_loss_is_lower_for_the_right_answer() -> None:
    centres, strides = cells(SHAPES, torch.device("cpu"))
    true, labels = torch.tensor([[[16.0, 16, 48, 48]]]), torch.tensor([[1]])
    losses = []
    for bin_, label in ((2, 1), (2, 0), (6, 1)):
        distances = torch.full((1, 84, 4, 8), -5.0)
        distances[..., bin_] = 5.0
        logits = torch.full((1, 84, 2), -6.0)
        middle = (centres - 32).abs().amax(dim=1) < 8
        logits[0, middle, label] = 4.0
        boxes = decode(distances, centres, strides)
        out = Predictions(logits, distances, boxes, centres, strides)
        losses.append(float(DetectionLoss()(out, true, labels)))
    assert losses[0] < losses[1] and losses[0] < losses[2]


def test_a_few_steps_on_one_image_learn_it() -> None:
    torch.manual_seed(0)
    network, loss = Network(classes=2, width=4), DetectionLoss()
    image = torch.zeros(2, 3, 64, 64)
    image[:, :, 16:48, 16:48] = 1.0
    boxes, labels = torch.tensor([[[16.0, 16, 48, 48]]] * 2), torch.tensor([[1], [1]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(network(image), boxes, labels)
        value.backward()
        optimizer.step()
    out = network(image)
    best = int(out.logits[0, :, 1].argmax())
    assert overlap(out.boxes[0, best], boxes[0, 0]).item() > 0.7
    assert out.logits[0, best].argmax() == 1
