"""Counts which expert each token id goes to, layer by layer, and writes the table that predicts it.

`python count_routes.py --out build/demo-model --model models/demo` writes models/demo/token-table/. Routes are those of
the exported bf16 weights, computed in fp32; decoder tokens are the decoder's inputs, teacher-forced.
"""

import argparse
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from batches import Batch, SpanHider, held_out_batches, word_starts
from switch_model import SwitchModel, shift_right
from weights import load_model

TASKS = ("short", "pair", "pair_negative", "long", "dictionary", "bible")
# Training examples counted at most: enough for every task, a few minutes on two cores.
COUNTED = {"short": 40000, "pair": 12000, "pair_negative": 12000, "long": 1500, "dictionary": 40000, "bible": 6000}
RANKS = 4


class Counter:
    """Per MoE layer, how often each token id went to each expert: [vocab, E]."""

    def __init__(self, model: SwitchModel):
        self.model, self.tokens = model, {"encoder": 0, "decoder": 0}
        g = model.geometry
        self.counts = {f"{stack}.{i}": torch.zeros(g.vocab_size, g.num_experts, dtype=torch.int64)
                       for stack in ("encoder", "decoder") for i in range(g.num_layers) if g.is_sparse(i)}

    @torch.inference_mode()
    def add(self, batch: Batch) -> None:
        real, shifted = batch.target != 0, shift_right(batch.target)
        self.model.hidden(batch.source, shifted, real)
        sides = {"encoder": (batch.source, batch.source != 0), "decoder": (shifted, real)}
        experts = self.model.geometry.num_experts
        for layer, routing in self.model.routings().items():
            ids, mask = sides[layer.split(".")[0]]
            flat = ids[mask] * experts + routing.experts[mask]
            self.counts[layer].view(-1).add_(torch.bincount(flat, minlength=self.counts[layer].numel()))
        for side, (_, mask) in sides.items():
            self.tokens[side] += int(mask.sum())


def table(counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The RANKS likeliest experts of each id, and their shares; an id never seen gets the layer's own distribution."""
    seen = counts.sum(dim=1, keepdim=True)
    overall = counts.sum(dim=0, keepdim=True).double() / counts.sum()
    share = torch.where(seen > 0, counts.double() / seen.clamp(min=1), overall)
    order = torch.sort(share, dim=1, descending=True, stable=True)
    return order.indices[:, :RANKS].to(torch.int16), order.values[:, :RANKS].to(torch.float16)


def hits(experts: torch.Tensor, counts: torch.Tensor) -> tuple[float, float]:
    """Share of held-out tokens whose expert is the table's first, or among its first three, in percent."""
    found = counts.gather(1, experts.long())
    total = counts.sum()
    return float(100 * found[:, 0].sum() / total), float(100 * found[:, :3].sum() / total)


def entropy(counts: torch.Tensor) -> float:
    share = counts.sum(dim=0).double()
    share = share[share > 0] / share.sum()
    return float(-(share * share.log()).sum() / np.log(counts.shape[1]))


def count(model: SwitchModel, data: Path, split: str, hider: SpanHider, limits: dict[str, int]) -> tuple[Counter, dict]:
    """All tasks together, and on the side each task's own counts."""
    whole, single = Counter(model), {}
    for task, limit in limits.items():
        single[task] = Counter(model)
        for batch in held_out_batches(data, split, task, hider, limit):
            single[task].add(batch)
        for layer, counts in single[task].counts.items():
            whole.counts[layer] += counts
        for side, tokens in single[task].tokens.items():
            whole.tokens[side] += tokens
        print(f"{split}: {task} counted", flush=True)
    return whole, single


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(model_dir: Path, sida: Path) -> str:
    """The fingerprint by which sida's processes know the model, as `sida check` prints it."""
    shown = subprocess.run([sida, "check", "--model", model_dir, "--predictor", "none"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in shown.splitlines() if line.startswith("fingerprint"))


def card(model_dir: Path, sida: Path, train: Counter, test: Counter, tables: dict) -> dict:
    layers = {}
    for layer, (experts, _) in tables.items():
        top1, top3 = hits(experts, test.counts[layer])
        layers[layer] = {"top1": round(top1, 2), "top3": round(top3, 2),
                         "ids_seen": int((train.counts[layer].sum(dim=1) > 0).sum())}
    g = train.model.geometry
    return {"kind": "token_id_table", "k": RANKS, "vocab_size": g.vocab_size, "num_experts": g.num_experts,
            "layers": list(tables), "file": "table.safetensors",
            "model": {"name": "sida-demo", "sha256": sha256(model_dir / "model.safetensors"),
                      "fingerprint": fingerprint(model_dir, sida)},
            "counted_tokens": train.tokens, "held_out_tokens": test.tokens, "held_out": layers}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--model", type=Path, default=Path("models/demo"))
    arguments.add_argument("--sida", type=Path, default=Path("build/release/bin/sida"), help="the built program")
    arguments.add_argument("--held-out", type=int, default=10**6, help="held-out examples of each task at most")
    arguments.add_argument("--share", type=float, default=1.0, help="of the counted training examples")
    options = arguments.parse_args()
    model, data = load_model(options.model), options.out / "data"
    hider = SpanHider(word_starts(options.out / "tokenizer"), model.geometry.vocab_size)
    limits = {t: int(n * options.share) for t, n in COUNTED.items()}
    train, _ = count(model, data, "train", hider, limits)
    test, single = count(model, data, "test", hider, {t: options.held_out for t in TASKS if t != "pair_negative"})
    tables = {layer: table(counts) for layer, counts in train.counts.items()}
    target = options.model / "token-table"
    target.mkdir(exist_ok=True)
    save_file({f"{layer}.{name}": t.contiguous() for layer, pair in tables.items()
               for name, t in zip(("experts", "confidence"), pair)}, target / "table.safetensors")
    made = card(options.model, options.sida, train, test, tables)
    (target / "predictor.json").write_text(json.dumps(made, indent=2) + "\n")
    spread = {"all": {layer: entropy(c) for layer, c in test.counts.items()}}
    spread |= {task: {layer: entropy(c) for layer, c in s.counts.items()} for task, s in single.items()}
    (options.out / "routes.json").write_text(json.dumps({"entropy": spread, "table": made}, indent=2) + "\n")
    print(json.dumps({"entropy": spread["all"], "held_out": made["held_out"]}, indent=2))


if __name__ == "__main__":
    main()
