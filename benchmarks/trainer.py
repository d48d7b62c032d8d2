"""What the house costs a transformer: our loop against `transformers`, and serving against it.

    python -m benchmarks.trainer           minutes; keeps the result and renders the README
    python -m benchmarks.trainer --smoke   seconds, small, keeps nothing

Training: our `fit` and a plain `transformers.Trainer` take the same network from the same weights
through the same batches, with AdamW, a linear schedule and gradients cut to length 1, in fp32. The
trainer logs, saves and evaluates nothing. The two take turns; the figure is the median of the
ratios of the pairs, and at most 1.05 is the target.

Serving: our exported classifier answers texts in batches of similar length in ONNX Runtime; the
baseline is `transformers.pipeline("text-classification", batch_size=32)` on the same weights and
texts. At least twice as many texts a second is the target.

The network has the sizes of MiniLM and random weights, since what they say does not matter to the
clock; texts are those of the simulated world of intents.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.timing import interleaved, is_smoke, keep, one_thread
from common import console
from common.encoders import Tokens
from common.evaluation.report import Report, Row, Table, Value
from common.training import LengthLoader, Optimisation, fit

SIZES: dict[str, int] = {
    "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
    "intermediate_size": 1536, "max_position_embeddings": 128,
}  # fmt: skip
SMALL = SIZES | {"hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 96}
BATCH, RATE, CLASSES = 32, 1e-4, 20
COLUMNS = ("transformers", "ours", "ratio", "target")
Batch = tuple[Tensor, ...]


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep."""
    from data.simulated import intents

    smoke = is_smoke("trainer", __doc__ or "", arguments)
    one_thread()
    torch.set_num_threads(1)
    started = time.perf_counter()
    world = intents.generate(intents=CLASSES, texts=400 if smoke else 1600)
    texts, labels = world.train["text"].to_list(), world.train["label"].to_numpy()
    report = Report("trainer", world.source)
    console.header("benchmark trainer", world.source, None)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = tokenizer_of(texts, Path(folder))
        network = network_of(len(tokenizer), SMALL if smoke else SIZES)
        with console.stage("training"):
            row = training_row(network, tokenizer, texts, labels, pairs=1 if smoke else 7)
        with console.stage("serving"):
            rows = (row, serving_row(network, tokenizer, texts, repeats=2 if smoke else 9))
    caption = (
        f"{len(texts):,} texts, one thread, sizes of MiniLM, random weights. Training: seconds an"
        " epoch, median ratio of pairs. Serving: texts a second, from the string to its label."
    )
    report.tables.append(Table("our loop and server against transformers", COLUMNS, rows, caption))
    console.table(report.tables[0])
    if not smoke:
        keep("trainer", report, started=started, packages=("torch", "transformers", "onnxruntime"))
    return 0


def tokenizer_of(texts: Sequence[str], folder: Path) -> Any:
    """Return a fast tokenizer that knows the words of the texts."""
    import re

    import transformers

    words = sorted({word for text in texts for word in re.findall(r"\w+", text.lower())})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", "?", "-", "'", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    make: Any = transformers.BertTokenizerFast  # type: ignore[attr-defined]
    return make(str(folder / "vocab.txt"), model_max_length=64)


def network_of(words: int, sizes: dict[str, int]) -> nn.Module:
    """Return transformers' own classifier: what its trainer and its pipeline are made for."""
    import transformers

    torch.manual_seed(0)
    make: Any = transformers.BertConfig
    config = make(vocab_size=words, num_labels=CLASSES, **sizes)
    network: nn.Module = transformers.BertForSequenceClassification(config)
    return network


def training_row(
    network: nn.Module, tokenizer: Any, texts: Sequence[str], labels: np.ndarray, *, pairs: int
) -> Row:
    """Train an epoch by both, in turns, and compare the seconds."""
    ids = Tokens.of_transformer(tokenizer, max_length=64)(texts)
    loader = LengthLoader(ids, labels.astype(np.int64), batch_size=BATCH, shuffle=False)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    calls: dict[str, Callable[[], None]] = {
        "theirs": lambda: train_theirs(network, loader),
        "ours": lambda: train_ours(network, loader),
    }
    for turn in range(pairs + 1):
        for name in list(calls)[:: -1 if turn % 2 else 1]:
            network.load_state_dict(start)
            began = time.perf_counter()
            calls[name]()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - began)
    ratios = [
        ours / theirs for ours, theirs in zip(seconds["ours"], seconds["theirs"], strict=True)
    ]
    network.load_state_dict(start)
    values: dict[str, Value] = {
        "transformers": statistics.median(seconds["theirs"]),
        "ours": statistics.median(seconds["ours"]),
        "ratio": statistics.median(ratios),
        "target": "at most 1.05",
    }
    return Row("training, seconds an epoch", values)


def train_ours(network: nn.Module, loader: LengthLoader) -> None:
    """Train an epoch by the loop of the house."""
    settings = Optimisation(
        epochs=1, learning_rate=RATE, schedule="linear", gradient_clip=1.0, precision="fp32"
    )
    fit(
        network,
        loader,
        lambda model, batch: (
            model(input_ids=batch[0], attention_mask=batch[1], labels=batch[2]).loss
        ),
        settings,
        device="cpu",
    )


def train_theirs(network: nn.Module, loader: LengthLoader) -> None:
    """Train an epoch by transformers' trainer on the same batches."""
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    class Fixed(Trainer):
        def get_train_dataloader(self) -> Any:
            return DataLoader(_Batches(loader), batch_size=None)

    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            eval_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Fixed(network, options, train_dataset=_Batches(loader))
        trainer.remove_callback(PrinterCallback)
        trainer.train()


class _Batches(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The batches of a loader, each a row."""

    def __init__(self, loader: LengthLoader) -> None:
        names = ("input_ids", "attention_mask", "labels")
        self.batches = [dict(zip(names, batch, strict=True)) for batch in loader]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return self.batches[row]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter(self.batches)


def serving_row(network: nn.Module, tokenizer: Any, texts: Sequence[str], *, repeats: int) -> Row:
    """Answer all texts in batches by both, in turns, and compare the texts a second."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    pipeline: Any = transformers.pipeline
    theirs = pipeline(
        "text-classification", model=network.eval(), tokenizer=tokenizer, device="cpu"
    )
    ours = served(network, tokenizer)
    asked = list(texts)
    expected = [int(each["label"].rpartition("_")[2]) for each in theirs(asked, batch_size=BATCH)]
    said = ours(asked).argmax(axis=1)
    assert (said == np.array(expected)).mean() > 0.99, "the two answer differently"
    seconds = interleaved(
        {"theirs": lambda: theirs(asked, batch_size=BATCH), "ours": lambda: ours(asked)},
        repeats=repeats,
        warm_up=1,
    )
    values: dict[str, Value] = {
        "transformers": len(asked) / seconds["theirs"],
        "ours": len(asked) / seconds["ours"],
        "ratio": seconds["theirs"] / seconds["ours"],
        "target": "at least 2",
    }
    return Row("serving, texts a second", values)


def served(network: nn.Module, tokenizer: Any) -> Callable[[Sequence[str]], np.ndarray]:
    """Return the texts-to-logits function of the exported network, as our server has it."""
    from common import onnx
    from common.encoders import length_batches

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            answer: Tensor = self.network(input_ids=ids, attention_mask=mask).logits
            return answer

    session = onnx.session(onnx.export(Logits(), output="logits"), threads=1)
    tokens = Tokens.of_transformer(tokenizer, max_length=64)

    def predict(texts: Sequence[str]) -> np.ndarray:
        logits = np.zeros((len(texts), CLASSES), np.float32)
        for rows, ids, mask in length_batches(tokens(texts), batch_size=BATCH, pad=tokens.pad):
            logits[rows] = session.run(None, {"ids": ids, "mask": mask})[0]
        return logits

    return predict


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
