"""Prompts of token ids for a model without a tokeniser, and text for the demo model."""

import json
import pathlib
import random


def id_prompts(model, count, seed, longest=40):
    vocab = json.loads((pathlib.Path(model) / "config.json").read_text())["vocab_size"]
    generator = random.Random(seed)
    return [[generator.randrange(2, vocab - 1) for _ in range(generator.randint(1, longest))] + [1]
            for _ in range(count)]
