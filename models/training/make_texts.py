"""Writes the texts from which the demo model's hash function is learned, and those that measure it.

`python make_texts.py --out build/demo-model` writes learn.jsonl and measure.jsonl there, in the form that `sida trace`
reads: prompts with their answers, and plain texts whose spans it hides (`--span-corruption`).
"""

import argparse
import json
import random
from pathlib import Path

# How many examples of each file, evenly spread over it: most tokens where prompts are most varied.
LEARN = {"short": 14000, "pair": 6000, "pair_negative": 6000, "match": 3000, "match_negative": 3000,
         "long": 1200, "dictionary": 10000, "bible": 3500}
MEASURE = {"short": 1000, "pair": 1000, "long": 200, "dictionary": 500, "bible": 300}


def line(task: str, example: dict) -> dict:
    task = task.removesuffix("_negative")
    if "prompt" in example:
        return {"prompt": example["prompt"], "target": example["answer"], "task": task}
    return {"text": example["text"], "task": "infill"}


def chosen(path: Path, task: str, count: int) -> list[dict]:
    lines = path.read_text(encoding="utf-8").splitlines()
    step = max(1.0, len(lines) / count)
    return [line(task, json.loads(lines[int(i * step)])) for i in range(min(count, len(lines)))]


def write(data: Path, split: str, counts: dict[str, int], path: Path) -> None:
    paths = {task: data / f"{task}_{split}.jsonl" for task in counts}
    lines = [each for task, path_of in paths.items() if path_of.exists()  # Some tasks are of one split only.
             for each in chosen(path_of, task, counts[task])]
    random.Random(0).shuffle(lines)  # A trace that is stopped early still has every task.
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines), encoding="utf-8")
    print(f"{path}: {len(lines)} lines")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    options = arguments.parse_args()
    write(options.out / "data", "train", LEARN, options.out / "learn.jsonl")
    write(options.out / "data", "test", MEASURE, options.out / "measure.jsonl")


if __name__ == "__main__":
    main()
