"""What the model is measured against: the majority answer, a bag of words, and the most frequent hidden token.

`python baselines.py --out build/demo-model` writes baselines.json. Training and held-out text are those of the model.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from batches import SpanHider, Texts, held_out_batches, word_starts

WORD = r"(?u)\b\w+\b"
STRENGTHS = (1.0, 4.0, 16.0)  # of the classifier; the best on the validation part is taken


def read(data: Path, name: str) -> tuple[list[str], list[str]]:
    rows = [json.loads(line) for line in (data / f"{name}.jsonl").open()]
    return [r["prompt"] for r in rows], [r["answer"] for r in rows]


def training_part(data: Path, task: str) -> tuple[list[str], list[str]]:
    texts, answers = read(data, f"{task}_train")
    if task == "pair":
        more, no = read(data, "pair_negative_train")
        texts, answers = texts + more[::3], answers + no[::3]  # one negative for each positive
    return texts, answers


def overlap_features(prompts: list[str]) -> csr_matrix:
    """Does the sentence have the word, or its beginning; how many words do definition and sentence share?"""
    rows = []
    for prompt in prompts:
        word, definition, sentence = re.match(r"pair: (.*); meaning: (.*); sentence: (.*)$", prompt).groups()
        shown = set(re.findall(WORD, sentence.lower()))
        shared = shown & set(re.findall(WORD, definition.lower()))
        stem = word.lower()[: max(3, len(word) - 2)]
        rows.append([word.lower() in sentence.lower(), any(w.startswith(stem) for w in shown),
                     sum(len(w) > 3 for w in shared)])
    return csr_matrix(np.array(rows, dtype=float))


def bag_of_words(data: Path, task: str, extra=None) -> dict:
    """Logistic regression over tf-idf of single words."""
    texts, answers = training_part(data, task)
    vectors = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True, min_df=2)
    train = vectors.fit_transform(texts)
    held_out = {split: read(data, f"{task}_{split}") for split in ("valid", "test")}
    features = {split: vectors.transform(x) for split, (x, _) in held_out.items()}
    if extra:
        train = hstack([train, extra(texts)]).tocsr()
        features = {s: hstack([f, extra(held_out[s][0])]).tocsr() for s, f in features.items()}
    scored = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300).fit(train, answers)
        scored.append({s: float((model.predict(features[s]) == np.array(held_out[s][1])).mean()) for s in features})
        print(f"{task}: strength {strength} {scored[-1]}", flush=True)
    return max(scored, key=lambda s: s["valid"])


def majority(data: Path, task: str) -> float:
    _, answers = training_part(data, task)
    common = Counter(answers).most_common(1)[0][0]
    return float(np.mean([a == common for a in read(data, f"{task}_test")[1]]))


def hidden_tokens(texts: Texts, hider: SpanHider, limit: int) -> Counter:
    rng, counts = np.random.default_rng(0), Counter()
    for i in range(0, len(texts), max(1, len(texts) // limit)):
        counts.update(int(t) for t in hider(texts[i], rng)[1])
    return counts


def unigram(out: Path) -> dict:
    """Always the token that is hidden most often in the training text of that source."""
    hider, made = SpanHider(word_starts(out / "tokenizer"), 8000), {}
    for source in ("dictionary", "bible"):
        counts = hidden_tokens(Texts(out / f"data/{source}_train.npz"), hider, 20000)
        best = next(t for t, _ in counts.most_common() if 2 < t < 7900)
        targets = [b.target for b in held_out_batches(out / "data", "test", source, hider, 10**6)]
        text = [t[(t > 1) & (t < 7900)] for t in targets]
        right, total = sum(int((t == best).sum()) for t in text), sum(len(t) for t in text)
        made[source] = {"token": best, "accuracy": right / total, "hidden_tokens": total}
    return made


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    options = arguments.parse_args()
    data, made = options.out / "data", {"infill": unigram(options.out)}
    for task in ("long", "pair", "short"):
        made[task] = {"majority": majority(data, task), "bag_of_words": bag_of_words(data, task)["test"]}
        if task == "pair":
            made[task]["with_overlap"] = bag_of_words(data, task, overlap_features)["test"]
        (options.out / "baselines.json").write_text(json.dumps(made, indent=2) + "\n")
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
