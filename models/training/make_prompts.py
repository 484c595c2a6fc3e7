"""Picks 200 held-out prompts, 50 of each task, for tests: `python make_prompts.py --out build/demo-model`."""

import argparse
import json
import re
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from batches import SpanHider, Texts, word_starts

PER_TASK = 50


def answered(data: Path, task: str) -> list[dict]:
    rows = [json.loads(line) for line in (data / f"{task}_test.jsonl").open()]
    chosen = np.random.default_rng(7).permutation(len(rows))[:PER_TASK]
    return [{"task": task, "prompt": rows[i]["prompt"], "target": rows[i]["answer"]} for i in chosen]


def readable(text: str) -> str:
    """A space before each sentinel, which the tokeniser takes away again."""
    return re.sub(r"\s*(<extra_id_\d+>)", r" \1", text).strip()


def hidden(data: Path, name: str, tokenizer, hider: SpanHider, count: int) -> list[dict]:
    """Prompts with sentinels as text; only those that the tokeniser reads back as the ids they were made of."""
    texts, rng, made = Texts(data / f"{name}_test.npz"), np.random.default_rng(7), []
    for i in rng.permutation(len(texts)):
        source, target = hider(texts[int(i)], rng)
        prompt = readable(tokenizer.decode(source[:-1]))
        if tokenizer(prompt).input_ids == source.tolist():
            made.append({"task": "infill", "prompt": prompt, "target": readable(tokenizer.decode(target[:-1]))})
        if len(made) == count:
            return made
    raise ValueError(f"{name} has fewer than {count} prompts that read back")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--to", type=Path, default=Path("tests/golden/demo/prompts.jsonl"))
    options = arguments.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.out / "tokenizer")
    data, hider = options.out / "data", SpanHider(word_starts(options.out / "tokenizer"), len(tokenizer))
    rows = [r for task in ("short", "pair", "long") for r in answered(data, task)]
    for name in ("dictionary", "bible"):
        rows += hidden(data, name, tokenizer, hider, PER_TASK // 2)
    options.to.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))


if __name__ == "__main__":
    main()
