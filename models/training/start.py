"""Where training starts: weights that already know which pieces keep company, and where attention may look.

A random start spends most of two cores' hours on finding out that words of one topic belong together and that equal
words are equal. Both can be counted instead:

- the embedding is the leading part of the table of which pieces occur near each other, and with which topic and kind
  of book (positive pointwise mutual information, factored; Levy and Goldberg 2014), from training text only;
- queries and keys of a head start alike, so that equal pieces find each other, values and outputs start as each
  other's transpose (after mimetic initialisation, Trockman and Kolter 2023), and the table of relative positions
  points some heads at the neighbours.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix, diags, hstack
from sklearn.utils.extmath import randomized_svd

from batches import END, Texts
from switch_model import Attention, Stack, SwitchModel

NEAR = 6  # pieces to each side count as company
LABEL_WEIGHT = 3.0  # of a column that says topic or kind, against one that says company
SPECIAL = 3  # pad, end, unknown: never counted
SHARP = 9.0  # the same in the heads that look for equal pieces
ALIKE = 5.0  # score of a piece with itself, where rows have unit mean square
POINT = 6.0  # bias that points a head at a place
CONSTANT = 2.0  # first column of every piece, on average: the layers have no biases, this lets them make one
FREQUENCY = 0.5  # what a piece e times as common has more of it
REST = 6.5  # score of the end token in the heads that look for equal pieces: what they see if there are none
FFN_SHARE = 0.1  # of the usual size of what a feed-forward layer adds
OUTPUT_SHARE = 0.5  # of what attention adds, in units of what is there


def company(texts: list[Texts], vocab: int) -> csr_matrix:
    """[vocab, vocab] how often two pieces stand within NEAR of each other, nearer ones counted more."""
    total = csr_matrix((vocab, vocab))
    for text in texts:
        ids = text.ids.astype(np.int64)
        owner = np.repeat(np.arange(len(text)), text.lengths)
        for distance in range(1, NEAR + 1):
            left, right = ids[:-distance], ids[distance:]
            same = (owner[:-distance] == owner[distance:]) & (left >= SPECIAL) & (right >= SPECIAL)
            weight = np.full(int(same.sum()), 1.0 - (distance - 1) / NEAR)
            total = total + coo_matrix((weight, (left[same], right[same])), shape=(vocab, vocab)).tocsr()
    return total + total.T


def labels(texts: Texts, vocab: int) -> csr_matrix:
    """[vocab, answers] how often a piece stands in a text with that answer."""
    answers, column = np.unique(texts.answers, return_inverse=True)
    ids = texts.ids.astype(np.int64)
    return coo_matrix((np.ones(len(ids)), (ids, np.repeat(column, texts.lengths))), shape=(vocab, len(answers))).tocsr()


def positive_information(counts: csr_matrix) -> csr_matrix:
    """Positive pointwise mutual information; columns smoothed by the power 0.75, as is usual."""
    rows = np.asarray(counts.sum(axis=1)).ravel()
    columns = np.asarray(counts.sum(axis=0)).ravel() ** 0.75
    made = (diags(1 / np.maximum(rows, 1)) @ counts @ diags(columns.sum() / np.maximum(columns, 1e-9))).tocsr()
    made.data = np.maximum(np.log(made.data), 0)
    return made


def commonness(vocab: int, *texts: Texts) -> np.ndarray:
    """[vocab] logarithm of how often a piece occurs, less the mean."""
    logs = np.log1p(sum(np.bincount(t.ids.astype(np.int64), minlength=vocab) for t in texts))
    return logs - logs.mean()


def counted_embedding(data: Path, vocab: int, width: int, seed: int) -> torch.Tensor:
    """[vocab, width] float32, rows of unit mean square; pieces that were never seen are random."""
    load = lambda name: Texts(data / f"{name}_train.npz")
    blocks = [positive_information(company([load("dictionary"), load("bible")], vocab))]
    blocks += [LABEL_WEIGHT * positive_information(labels(load(name), vocab)) for name in ("short", "long")]
    left, singular, _ = randomized_svd(hstack(blocks).tocsr(), width, n_iter=4, random_state=seed)
    made = left * np.sqrt(singular)
    seen = np.linalg.norm(made, axis=1) > 1e-6
    made -= made[seen].mean(axis=0)
    rng = np.random.default_rng(seed)
    made[~seen] = rng.standard_normal((int((~seen).sum()), width))
    made[:SPECIAL] = rng.standard_normal((SPECIAL, width))
    # The factors' leading directions are turned evenly over all columns: norms weigh columns one by one.
    turn, _ = np.linalg.qr(rng.standard_normal((width, width)))
    made = made @ turn
    made /= np.sqrt(np.mean(made**2, axis=1, keepdims=True))
    made[:, 0] = CONSTANT + FREQUENCY * commonness(blocks[0].shape[0], load("dictionary"), load("bible"))
    return torch.from_numpy(made.astype(np.float32))


@torch.no_grad()
def start_attention(attention: Attention, alike: float) -> None:
    inner, width = attention.q.shape
    head = inner // attention.heads
    shared = torch.randn(inner, width) * (alike / (head * width)) ** 0.5
    attention.q.copy_(shared + 0.3 * shared.std() * torch.randn(inner, width))
    attention.k.copy_(shared + 0.3 * shared.std() * torch.randn(inner, width))
    turn = torch.linalg.qr(torch.randn(max(inner, width), max(inner, width)))[0][:inner, :width]
    attention.v.copy_(turn)
    attention.o.copy_(OUTPUT_SHARE * turn.T)


@torch.no_grad()
def start_positions(stack: Stack) -> None:
    """Head 0 looks at the piece before, head 1 at the one after (in the decoder: two before), head 2 at any but
    itself, the others anywhere."""
    bias, later = stack.relative_bias, stack.geometry.buckets // 2
    bias[0, :3] -= POINT
    bias[1, 0] += POINT
    bias[2 if stack.decoder else later + 1, 1] += POINT


@torch.no_grad()
def start_rest(attention: Attention, end: torch.Tensor) -> None:
    """Lets the third head of every piece look at the end token unless it finds an equal piece."""
    head = attention.q.shape[0] // attention.heads
    rows = slice(2 * head, 3 * head)
    attention.q[rows] = attention.k[rows]
    attention.q[rows] *= (SHARP / ALIKE) ** 0.5
    attention.k[rows] *= (SHARP / ALIKE) ** 0.5
    direction = torch.nn.functional.normalize(torch.randn(head), dim=0)
    attention.q[rows, 0] += direction * REST / CONSTANT
    attention.k[rows] += torch.outer(direction, end / end.square().sum())


@torch.no_grad()
def start_from_counts(model: SwitchModel, data: Path, seed: int) -> None:
    geometry = model.geometry
    model.embedding.copy_(counted_embedding(data, geometry.vocab_size, geometry.d_model, seed))
    for stack in (model.encoder, model.decoder):
        start_positions(stack)
        for block in stack.blocks:
            block.mlp.wo.mul_(FFN_SHARE)
            start_attention(block.self_attention, ALIKE)
            if stack.decoder:
                start_attention(block.cross_attention, SHARP)
    for block in model.encoder.blocks:
        start_rest(block.self_attention, model.embedding[END])
