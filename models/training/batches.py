"""Batches for training: examples of like length together, spans hidden on the fly, everything decided by a seed.

A source is right-padded with 0; a target ends in the end token and is right-padded with 0.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

END, UNKNOWN = 1, 2
PROMPT_WORDS = 2  # "topic" and ":" are never blotted out


@dataclass
class Batch:
    task: str
    source: torch.Tensor  # [B, S] int64
    target: torch.Tensor  # [B, T] int64
    soft: torch.Tensor | None = None  # [B, K] float32: how likely each of `kinds` is as the first token of the target
    kinds: torch.Tensor | None = None  # [K] int64

    def move_to(self, device: str) -> None:
        self.source, self.target = self.source.to(device), self.target.to(device)
        if self.soft is not None:
            self.soft, self.kinds = self.soft.to(device), self.kinds.to(device)

    def tokens(self) -> int:
        return int((self.source != 0).sum() + (self.target != 0).sum())


class Texts:
    """Token sequences of one file, and their answers where they have one."""

    def __init__(self, path: Path):
        stored = np.load(path)
        self.ids, self.offsets = stored["ids"], stored["offsets"]
        self.answers = stored["answers"] if "answers" in stored else None
        self.soft, self.kinds = (stored[n] if n in stored else None for n in ("soft", "kinds"))
        self.lengths = np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.offsets[index]:self.offsets[index + 1]]


def padded(rows: list[np.ndarray]) -> torch.Tensor:
    made = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        made[i, :len(row)] = row
    return torch.from_numpy(made)


def word_starts(tokenizer_dir: Path) -> np.ndarray:
    """[vocab] bool: does this piece begin a word?"""
    pieces = json.loads((tokenizer_dir / "tokenizer.json").read_text())["model"]["vocab"]
    return np.array([piece.startswith("\u2581") for piece, _ in pieces])


class SpanHider:
    """Span infilling: hides whole words, a run of them behind each sentinel."""

    def __init__(self, starts: np.ndarray, vocab_size: int, share: float = 0.2, mean_words: float = 2.0):
        self.starts, self.first_sentinel = starts, vocab_size - 1
        self.share, self.mean_words = share, mean_words

    def spans(self, words: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Runs [begin, end) of words, in order, no two of them adjacent."""
        taken = np.zeros(words + 2, dtype=bool)
        made, budget = [], max(1, round(words * self.share))
        for _ in range(4 * budget):
            if budget <= 0:
                break
            length = min(int(rng.geometric(1 / self.mean_words)), 5, budget)
            begin = int(rng.integers(0, max(1, words - length + 1)))
            if taken[max(0, begin - 1):begin + length + 1].any():
                continue
            taken[begin:begin + length] = True
            made.append((begin, begin + length))
            budget -= length
        return sorted(made)

    def __call__(self, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        body = ids[:-1]
        edges = np.flatnonzero(self.starts[body])
        edges = np.append(edges if len(edges) and edges[0] == 0 else np.insert(edges, 0, 0), len(body))
        source, target, done = [], [], 0
        for number, (begin, end) in enumerate(self.spans(len(edges) - 1, rng)):
            sentinel = [self.first_sentinel - number]
            source += [body[done:edges[begin]], sentinel]
            target += [sentinel, body[edges[begin]:edges[end]]]
            done = edges[end]
        source += [body[done:], [END]]
        target += [[self.first_sentinel - len(target) // 2], [END]]
        return np.concatenate(source), np.concatenate(target)


class Stream:
    """Endless batches of one task. Its whole state is the number of batches drawn."""

    def __init__(self, task: str, texts: list[Texts], batch_tokens: int, seed: int, hider: SpanHider | None = None,
                 blot: float = 0.0):
        self.task, self.texts, self.batch_tokens, self.seed = task, texts, batch_tokens, seed
        self.hider, self.blot = hider, blot
        self.drawn, self.epoch, self.plan = 0, -1, []
        self.before = 0  # batches of earlier epochs

    def make_plan(self, epoch: int) -> list[list[tuple[int, int]]]:
        """One epoch's batches, each a list of (file, index). With several files all give equally many examples."""
        rng = np.random.default_rng((self.seed, epoch, len(self.task)))
        fewest = min(len(t) for t in self.texts)
        chosen = [(f, int(i)) for f, t in enumerate(self.texts) for i in rng.permutation(len(t))[:fewest]]
        length = {c: self.texts[c[0]].lengths[c[1]] + rng.random() * 4 for c in chosen}
        chosen.sort(key=length.__getitem__)
        batches, batch = [], []
        for c in chosen:
            if batch and (len(batch) + 1) * self.texts[c[0]].lengths[c[1]] > self.batch_tokens:
                batches.append(batch)
                batch = []
            batch.append(c)
        batches.append(batch)
        rng.shuffle(batches)
        return batches

    def next(self) -> Batch:
        while self.drawn >= self.before + len(self.plan):
            self.before += len(self.plan)
            self.epoch += 1
            self.plan = self.make_plan(self.epoch)
        chosen = self.plan[self.drawn - self.before]
        rng = np.random.default_rng((self.seed, self.drawn, len(self.task), 1))
        self.drawn += 1
        return self.make(chosen, rng)

    def make(self, chosen: list[tuple[int, int]], rng: np.random.Generator) -> Batch:
        sources, targets = [], []
        for file, index in chosen:
            ids = self.texts[file][index]
            if self.hider:
                source, target = self.hider(ids, rng)
            else:
                source, target = self.blotted(ids, rng), np.array([self.texts[file].answers[index], END])
            sources.append(source)
            targets.append(target)
        if self.texts[0].soft is None:
            return Batch(self.task, padded(sources), padded(targets))
        soft = torch.from_numpy(np.stack([self.texts[file].soft[index] for file, index in chosen]))
        return Batch(self.task, padded(sources), padded(targets), soft, torch.from_numpy(self.texts[0].kinds))

    def blotted(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Regularisation: replaces a share of the tokens by the unknown token."""
        if self.blot == 0:
            return ids
        gone = rng.random(len(ids)) < self.blot
        gone[:PROMPT_WORDS] = gone[-1] = False
        return np.where(gone, UNKNOWN, ids)

    def skip_to(self, drawn: int) -> None:
        """Continues after a restart: draws nothing, only counts."""
        self.drawn = drawn


def training_streams(data: Path, hider: SpanHider, seed: int, scale: float) -> dict[str, Stream]:
    """The streams by name. `infill` alternates between two sources, so they are two streams."""
    load = lambda name: Texts(data / f"{name}_train.npz")
    size = lambda tokens: int(tokens * scale)
    return {
        "short": Stream("short", [load("short")], size(4096), seed, blot=0.1),
        "pair": Stream("pair", [load("pair"), load("pair_negative")], size(4096), seed, blot=0.03),
        "match": Stream("match", [load("match"), load("match_negative")], size(4096), seed),
        "long": Stream("long", [load("long"), load("long_mixed")], size(4096), seed, blot=0.35),
        "dictionary": Stream("dictionary", [load("dictionary")], size(3072), seed, hider),
        "bible": Stream("bible", [load("bible")], size(3072), seed, hider),
    }


def held_out_batches(data: Path, split: str, task: str, hider: SpanHider, limit: int) -> list[Batch]:
    """The first `limit` held-out examples of a task in batches of like length, the same at every call."""
    texts = Texts(data / f"{task}_{split}.npz")
    stream = Stream(task, [texts], 8192, seed=0, hider=hider if texts.answers is None else None)
    indices = sorted(np.linspace(0, len(texts) - 1, min(limit, len(texts))).astype(int), key=lambda i: texts.lengths[i])
    rng, made, batch = np.random.default_rng(0), [], []
    for i in indices:
        if batch and (len(batch) + 1) * texts.lengths[i] > 8192:
            made.append(stream.make(batch, rng))
            batch = []
        batch.append((0, int(i)))
    return made + [stream.make(batch, rng)]
