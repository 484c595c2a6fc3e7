"""What to answer about a passage for training, with the doubt that is due.

There are fewer than a thousand chapters, so a network soon knows them by heart and is then too sure of passages that it
has not seen. So each training passage is also judged by a bag of words that has not seen its chapter ("cross-fitting"),
and the network learns the mean of that judgement and the truth (distillation, Hinton et al. 2015).
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import tasks
from corpus import BOOK_KINDS, Chapter

FOLDS = 5
TRUTH = 0.5  # its share of the answer
WORD = r"(?u)\b\w+\b"
STRENGTH = 4.0  # of the classifier, as baselines.py finds best


def judge(training: list[tasks.Example], asked: list[tasks.Example]) -> np.ndarray:
    """[examples, kinds] float32: the classifier's probabilities, in the order of BOOK_KINDS."""
    vectors = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True, min_df=2)
    features = vectors.fit_transform([e.prompt for e in training])
    model = LogisticRegression(C=STRENGTH, max_iter=300).fit(features, [e.answer for e in training])
    order = [list(model.classes_).index(kind) for kind in BOOK_KINDS]
    return model.predict_proba(vectors.transform([e.prompt for e in asked]))[:, order].astype(np.float32)


def softened(training: list[tasks.Example], asked: list[tasks.Example]) -> np.ndarray:
    truth = np.array([[e.answer == kind for kind in BOOK_KINDS] for e in asked], dtype=np.float32)
    return TRUTH * truth + (1 - TRUTH) * judge(training, asked)


def soft_examples(chapters: list[Chapter], length_of, seed: int, rounds: int):
    """For `long` and `long_mixed`: the examples, and [examples, kinds] float32 answers for them."""
    whole, mixed = ([], []), ([], [])
    for fold in range(FOLDS):
        here = chapters[fold::FOLDS]
        others = [c for i, c in enumerate(chapters) if i % FOLDS != fold]
        known = tasks.long_examples(others, length_of, seed, rounds)
        cut = tasks.long_examples(here, length_of, seed, rounds)
        for kept, made in ((whole, cut), (mixed, tasks.mixed_examples(here, length_of, seed, len(cut)))):
            kept[0].extend(made)
            kept[1].append(softened(known, made))
    return [(examples, np.concatenate(answers)) for examples, answers in (whole, mixed)]
