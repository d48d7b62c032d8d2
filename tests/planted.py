"""Planted data for classifiers, whose right answer is known, and a transformer small enough."""

import re
from pathlib import Path

import numpy as np

from data.simulated.intents import generate
from patterns.nlp.classification.entities.texts import Texts
from patterns.vision.classification.entities.images import LabelledImages


def intents(*, count: int = 5) -> tuple[Texts, Texts]:
    """Give 500 texts for training and for judging; labels 0 and 1 differ in word order alone."""
    world = generate(intents=count, texts=500, typos=0.0)
    train, test = (
        Texts(frame["text"].to_list(), frame["label"].to_numpy().astype(np.int64))
        for frame in (world.train, world.test)
    )
    return train, test


def tiny_transformer(folder: Path, texts: list[str]) -> str:
    """Write a random two-layer BERT whose vocabulary is the words of the texts."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({word for text in texts for word in re.findall(r"\w+", text.lower())})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", "?", "-", "'", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return str(folder)


def grey_levels(count: int, *, seed: int, size: int = 12) -> LabelledImages:
    """Give noisy grey images (N, 1, size, size); the label 0, 1, 2 says how bright they are."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 80, (count, 1, size, size)) + 80 * labels[:, None, None, None]
    return LabelledImages(images.astype(np.uint8), labels.astype(np.int64))


def stripes(count: int, *, seed: int, size: int = 12) -> LabelledImages:
    """Give stripes along rows or columns at a random phase: no pixel alone tells which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    wave = np.sin(np.arange(size)[None, :] * 1.5 + rng.uniform(0, 6.3, count)[:, None])
    plane = np.repeat((128 + 100 * wave)[:, :, None], size, axis=2)
    images = np.where(labels[:, None, None] == 1, plane, plane.transpose(0, 2, 1))
    images = np.clip(images + rng.normal(0, 10, images.shape), 0, 255).astype(np.uint8)
    return LabelledImages(images[:, None], labels.astype(np.int64))
