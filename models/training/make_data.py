"""Makes the tokeniser and all training and held-out data, tokenised once: `python make_data.py --out build/demo-model`."""

import argparse
import json
from pathlib import Path

import numpy as np

import tasks
from corpus import BOOK_KINDS, read_bible, read_wordnet
from make_tokenizer import check_answers, make_tokenizer
from soft_answers import soft_examples

SPLITS = ("train", "valid", "test")


class Encoder:
    """Text to token ids, in batches."""

    def __init__(self, tokenizer):
        self.fast = tokenizer._tokenizer
        self.fast.no_truncation()
        self.fast.no_padding()
        self.known: dict[str, int] = {}

    def ids(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self.fast.encode_batch(texts)]

    def length(self, text: str) -> int:
        """Tokens of a text without the end token."""
        if text not in self.known:
            self.known[text] = len(self.fast.encode(text).ids) - 1
        return self.known[text]


def pack(sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    return np.concatenate([np.array(s, dtype=np.int16) for s in sequences]), np.concatenate([[0], np.cumsum(lengths)])


def save_examples(path: Path, examples: list[tasks.Example], encoder: Encoder, soft: np.ndarray | None = None) -> None:
    """`soft`: [examples, kinds of books], how likely each kind is; saved with the kinds' tokens."""
    ids, offsets = pack(encoder.ids([e.prompt for e in examples]))
    answers = np.array([a[0] for a in encoder.ids([e.answer for e in examples])], dtype=np.int16)
    more = {} if soft is None else {"soft": soft, "kinds": np.array([a[0] for a in encoder.ids(list(BOOK_KINDS))])}
    np.savez(path.with_suffix(".npz"), ids=ids, offsets=offsets, answers=answers, **more)
    with path.with_suffix(".jsonl").open("w") as lines:
        for e in examples:
            lines.write(json.dumps({"prompt": e.prompt, "answer": e.answer, "kind": e.kind}) + "\n")


def save_texts(path: Path, texts: list[str], encoder: Encoder) -> None:
    ids, offsets = pack(encoder.ids(texts))
    np.savez(path.with_suffix(".npz"), ids=ids, offsets=offsets)
    path.with_suffix(".jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))


def save_match(entries, encoder: Encoder, out: Path, seed: int) -> None:
    for name, examples in zip(("match_train", "match_negative_train"), tasks.match_examples(entries, seed)):
        save_examples(out / name, examples, encoder)


def save_long(chapters, encoder: Encoder, out: Path, split: str, seed: int) -> int:
    if split != "train":
        examples = tasks.long_examples(chapters, encoder.length, seed, rounds=1)
        save_examples(out / f"long_{split}", examples, encoder)
        return len(examples)
    made = soft_examples(chapters, encoder.length, seed, rounds=6)
    for name, (examples, soft) in zip(("long_train", "long_mixed_train"), made):
        save_examples(out / name, examples, encoder, soft)
    return len(made[0][0])


def write_split(split: str, entries, chapters, encoder: Encoder, out: Path, seed: int) -> dict:
    entries = [e for e in entries if e.split == split]
    chapters = [c for c in chapters if c.split == split]
    train = split == "train"
    short = tasks.short_examples(entries)
    positives, negatives = tasks.pair_examples(entries, seed, tasks.NEGATIVES_PER_SENTENCE if train else 1)
    dictionary, bible = tasks.infill_texts(entries, chapters, encoder.length, seed)
    if not train:
        positives, negatives = positives + negatives, []
    save_examples(out / f"short_{split}", short, encoder)
    save_examples(out / f"pair_{split}", positives, encoder)
    if negatives:
        save_examples(out / f"pair_negative_{split}", negatives, encoder)
    if train:
        save_match(entries, encoder, out, seed)
    long = save_long(chapters, encoder, out, split, seed)
    save_texts(out / f"dictionary_{split}", dictionary, encoder)
    save_texts(out / f"bible_{split}", bible, encoder)
    return {"short": len(short), "pair": len(positives) + len(negatives), "long": long,
            "dictionary": len(dictionary), "bible": len(bible)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    entries, chapters = read_wordnet(), read_bible()
    print(f"read {len(entries)} WordNet entries and {len(chapters)} chapters", flush=True)
    tokenizer = make_tokenizer(entries, chapters, options.out / "tokenizer")
    check_answers(tokenizer)
    encoder = Encoder(tokenizer)
    data = options.out / "data"
    data.mkdir(parents=True, exist_ok=True)
    counts = {s: write_split(s, entries, chapters, encoder, data, options.seed) for s in SPLITS}
    (data / "counts.json").write_text(json.dumps(counts, indent=2) + "\n")
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
