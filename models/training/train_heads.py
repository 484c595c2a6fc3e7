"""Heads for sequence classification on the finished model, one per task: `python train_heads.py --out build/demo-model`.

The encoder stays as it is; a head learns from the mean of its output over a text's tokens. Writes heads/TASK/ into the
model directory and prints held-out accuracies, which go into heads.json under --out. A few minutes of one core.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer

from batches import Texts, held_out_batches
from count_routes import fingerprint
from switch_model import SwitchModel
from weights import load_model

TRAINING = {"short": ["short"], "pair": ["pair", "pair_negative"], "long": ["long", "long_mixed"]}
EXAMPLES = {"short": 30_000, "pair": 12_000, "pair_negative": 12_000, "long": 4_000, "long_mixed": 4_000}  # At most.
EPOCHS, BATCH, RATE, DECAY, DROPOUT = 40, 256, 2e-3, 1e-3, 0.2


@torch.inference_mode()
def features(model: SwitchModel, data: Path, split: str, task: str, limit: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[N, d_model] means of the encoder's output, and [N] first tokens of the answers."""
    means, answers = [], []
    for batch in held_out_batches(data, split, task, None, limit):
        real = batch.source != 0
        encoded = model.encoder(F.embedding(batch.source, model.embedding), real)
        means.append((encoded * real.unsqueeze(-1)).sum(dim=1) / real.sum(dim=1, keepdim=True))
        answers.append(batch.target[:, 0])
    return torch.cat(means), torch.cat(answers)


class Head(nn.Module):
    """Tensors are named as in a checkpoint of an encoder with a classifier: classifier.dense, classifier.out_proj."""

    def __init__(self, width: int, labels: int):
        super().__init__()
        self.dense, self.out_proj = nn.Linear(width, width), nn.Linear(width, labels)

    def forward(self, mean: torch.Tensor) -> torch.Tensor:
        hidden = F.dropout(torch.tanh(self.dense(F.dropout(mean, DROPOUT, self.training))), DROPOUT, self.training)
        return self.out_proj(hidden)


def accuracy(head: Head, means: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.inference_mode():
        return float((head.eval()(means).argmax(dim=-1) == labels).float().mean())


def train(means: torch.Tensor, labels: torch.Tensor, valid: tuple[torch.Tensor, torch.Tensor], count: int) -> Head:
    """The weights of the epoch that did best on `valid`."""
    head, best, kept = Head(means.shape[1], count), -1.0, {}
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        head.train()
        for rows in torch.randperm(len(means)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(head(means[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()
        if (now := accuracy(head, *valid)) > best:
            best, kept = now, {name: value.clone() for name, value in head.state_dict().items()}
    head.load_state_dict(kept)
    return head


def label_texts(data: Path, task: str, tokenizer) -> dict[int, str]:
    """The answers of a task by their first token."""
    answers = sorted({json.loads(line)["answer"] for name in TRAINING[task] for line in (data / f"{name}_train.jsonl").open()})
    return {tokenizer(answer).input_ids[0]: answer for answer in answers}


def write(head: Head, labels: list[str], folder: Path, of_model: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({f"classifier.{name}": value.contiguous() for name, value in head.state_dict().items()}, folder / "model.safetensors")
    config = {"id2label": {str(i): label for i, label in enumerate(labels)}, "sida_model_fingerprint": of_model}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--model", type=Path, default=Path("models/demo"))
    arguments.add_argument("--sida", type=Path, default=Path("build/release/bin/sida"), help="the built program")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    torch.manual_seed(options.seed)
    model, data, figures = load_model(options.model).eval(), options.out / "data", {}
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    for task, files in TRAINING.items():
        texts = label_texts(data, task, tokenizer)
        position = torch.full((model.geometry.vocab_size,), -1)
        position[list(texts)] = torch.arange(len(texts))
        made = [features(model, data, "train", name, EXAMPLES[name]) for name in files]
        valid, test = (features(model, data, split, task, 10**6) for split in ("valid", "test"))
        head = train(torch.cat([m for m, _ in made]), position[torch.cat([a for _, a in made])],
                     (valid[0], position[valid[1]]), len(texts))
        figures[task] = {"accuracy": accuracy(head, test[0], position[test[1]]), "examples": len(test[0]), "labels": len(texts)}
        write(head, list(texts.values()), options.model / "heads" / task, fingerprint(options.model, options.sida))
        print(task, json.dumps(figures[task]), flush=True)
    (options.out / "heads.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
