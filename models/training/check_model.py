"""Shows that the training module gives Hugging Face's numbers: logits, chosen experts, capacity that binds, padding."""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import SwitchTransformersForConditionalGeneration

from switch_model import Geometry, SwitchModel, shift_right
from weights import export, load_model


def batch(rows: int, length: int, vocab: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids, right-padded, with a repeated token so that one expert's capacity binds."""
    source, target = torch.randint(3, vocab, (rows, length)), torch.randint(3, vocab, (rows, 12))
    source[:, length // 2:] = source[:, length // 2: length // 2 + 1]
    for row in range(1, rows):
        source[row, length - 7 * row:] = 0
        target[row, 12 - row:] = 0
    return source, target


def compare(directory: Path, length: int) -> float:
    ours = load_model(directory)
    theirs = SwitchTransformersForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    source, target = batch(4, length, ours.geometry.vocab_size)
    real = target != 0
    with torch.no_grad():
        mine = ours.logits(ours.hidden(source, shift_right(target), real))
        reference = theirs(input_ids=source, attention_mask=(source != 0).long(),
                           decoder_input_ids=shift_right(target)).logits
    difference = (mine - reference)[real].abs().max().item()
    print(f"source of {length} tokens: largest logit {reference[real].abs().max():.3f}, difference {difference:.2e}")
    return difference


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tokenizer", type=Path, default=Path("build/demo-model/tokenizer"))
    arguments.add_argument("--model", type=Path, help="an exported model; random weights without it")
    options = arguments.parse_args()
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.model or Path(scratch)
        if options.model is None:
            geometry = Geometry(expert_capacity=8)
            model = SwitchModel(geometry)
            for block in [*model.encoder.blocks, *model.decoder.blocks]:
                if block.sparse:
                    block.mlp.gate.data *= 20
            export(model.state_dict(), geometry, options.tokenizer, directory)
        worst = max(compare(directory, length) for length in (30, 200))
    assert worst < 2e-4, "the training module and Hugging Face disagree"
    print("equal")


if __name__ == "__main__":
    main()
