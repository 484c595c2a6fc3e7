"""Writes reference.jsonl: what Hugging Face's model answers to prompts.jsonl, token by token.

`python tests/golden/demo/make_reference.py`, after every change of models/demo. Weights are bf16 on disk and fp32 in
use; decoding is greedy, at most 32 new tokens. Each line has `input_ids`, `token_ids` (without the start token, with
the end token where one was generated) and `margins`: at each step, by how much the chosen token's log-probability
exceeds the next one's. Where a margin is tiny, another order of additions may choose the other token.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, SwitchTransformersForConditionalGeneration

HERE = Path(__file__).resolve().parent
MAX_NEW_TOKENS = 32


@torch.inference_mode()
def reference(model, input_ids: list[int]) -> dict:
    made = model.generate(input_ids=torch.tensor([input_ids]), max_new_tokens=MAX_NEW_TOKENS, do_sample=False,
                          return_dict_in_generate=True, output_scores=True)
    best = [torch.log_softmax(score[0], dim=-1).topk(2).values for score in made.scores]
    return {"token_ids": made.sequences[0, 1:].tolist(), "margins": [round(float(b[0] - b[1]), 6) for b in best]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", type=Path, default=HERE.parents[2] / "models/demo")
    options = arguments.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = SwitchTransformersForConditionalGeneration.from_pretrained(options.model, dtype=torch.float32).eval()
    rows = [json.loads(line) for line in (HERE / "prompts.jsonl").open()]
    made = []
    for row in rows:
        input_ids = tokenizer(row["prompt"]).input_ids
        made.append({"input_ids": input_ids, **reference(model, input_ids)})
    (HERE / "reference.jsonl").write_text("".join(json.dumps(m, separators=(",", ":")) + "\n" for m in made))
    digest = hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest()
    (HERE / "reference.sha256").write_text(f"{digest}  models/demo/model.safetensors\n")
    print(f"{len(made)} answers, smallest margin {min(min(m['margins']) for m in made)}")


if __name__ == "__main__":
    main()
