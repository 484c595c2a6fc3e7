"""Held-out accuracy with Hugging Face's own model: bf16 weights, computed in fp32, greedy answers.

`python evaluate.py --out build/demo-model --model models/demo` writes figures.json under --out.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from transformers import AutoTokenizer, SwitchTransformersForConditionalGeneration

from batches import UNKNOWN, SpanHider, held_out_batches, word_starts
from switch_model import shift_right

INFILL = ("dictionary", "bible")
BATCH_TOKENS = 8192


def batches_of(prompts: list[list[int]]):
    """Indices of prompts in batches of like length."""
    batch = []
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        if batch and (len(batch) + 1) * len(prompts[i]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    yield batch


@torch.inference_mode()
def answers(model, tokenizer, prompts: list[str]) -> list[str]:
    ids = tokenizer(prompts).input_ids
    made = [""] * len(prompts)
    for batch in batches_of(ids):
        padded = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
        out = model.generate(**padded, max_new_tokens=6, do_sample=False)
        for i, text in zip(batch, tokenizer.batch_decode(out, skip_special_tokens=True)):
            made[i] = text.strip()
    return made


def classification(model, tokenizer, data: Path, task: str) -> dict:
    """Share of examples whose generated text is the answer, letter for letter, also by kind or by answer."""
    rows = [json.loads(line) for line in (data / f"{task}_test.jsonl").open()]
    given = answers(model, tokenizer, [r["prompt"] for r in rows])
    by_kind = defaultdict(list)
    for row, answer in zip(rows, given):
        by_kind[row["kind"] or row["answer"]].append(answer == row["answer"])
    right = [answer == row["answer"] for row, answer in zip(rows, given)]
    return {"accuracy": sum(right) / len(right), "examples": len(right),
            "by_kind": {k: {"accuracy": sum(v) / len(v), "examples": len(v)} for k, v in sorted(by_kind.items())}}


@torch.inference_mode()
def infilling(model, data: Path, source: str, hider: SpanHider) -> dict:
    """Hidden tokens whose likeliest text piece is right, teacher-forced. Both the model and the baseline are asked for a
    text piece: where a span ends is another question, and sentinels and the end do not count."""
    right = total = 0
    log_probability = 0.0
    for batch in held_out_batches(data, "test", source, hider, 10**6):
        logits = model(input_ids=batch.source, attention_mask=(batch.source != 0).long(),
                       decoder_input_ids=shift_right(batch.target)).logits
        text = (batch.target > UNKNOWN) & (batch.target < hider.first_sentinel - 99)
        logits[..., hider.first_sentinel - 99:] = -torch.inf
        logits[..., :UNKNOWN + 1] = -torch.inf
        right += int((logits.argmax(dim=-1) == batch.target)[text].sum())
        total += int(text.sum())
        chosen = torch.log_softmax(logits[text], dim=-1).gather(1, batch.target[text].unsqueeze(1))
        log_probability += float(chosen.sum())
    return {"accuracy": right / total, "hidden_tokens": total, "perplexity": float(torch.tensor(-log_probability / total).exp())}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--model", type=Path, default=Path("models/demo"))
    options = arguments.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = SwitchTransformersForConditionalGeneration.from_pretrained(options.model, dtype=torch.float32).eval()
    data, figures = options.out / "data", {}
    hider = SpanHider(word_starts(options.model), model.config.vocab_size)
    for task in ("short", "pair", "long"):
        figures[task] = classification(model, tokenizer, data, task)
        print(task, json.dumps(figures[task]), flush=True)
    figures["infill"] = {source: infilling(model, data, source, hider) for source in INFILL}
    print(json.dumps(figures["infill"]))
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
