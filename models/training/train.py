"""Trains the demo model: `python train.py --out build/demo-model`.

Resumes from the last checkpoint under --out. The learning rate rises, stays, and falls to zero over the last
part; the averaged weights kept beside it are good to use at any time, which is what each export contains.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from batches import END, Batch, SpanHider, held_out_batches, training_streams, word_starts
from start import start_from_counts
from switch_model import Geometry, SwitchModel, shift_right
from weights import export, load_model, widened

@dataclass
class Stage:
    """From `begin`, a share of all steps: how often each task is drawn, and how much its loss weighs.

    An answer is one token and an end token, which is learned at once, so answers weigh more while the easy tasks are
    new; then infilling, which is never done, is drawn more often and their noisy gradients are kept from drowning it.
    `match` stays at chance beside other tasks and falls within a hundred batches when it is alone.
    """

    begin: float
    share: dict[str, float]
    weight: dict[str, float]
    dropout: float = 0.05


STAGES = (
    Stage(0.0, {"dictionary": 0.20, "bible": 0.22, "short": 0.20, "pair": 0.22, "long": 0.16},
          {"dictionary": 1.5, "bible": 1.5, "short": 2.0, "pair": 2.0, "long": 2.0}),
    Stage(0.375, {"dictionary": 0.22, "bible": 0.34, "short": 0.17, "pair": 0.13, "long": 0.14},
          {"dictionary": 2.0, "bible": 2.0, "short": 1.5, "pair": 1.0, "long": 1.5}),
    Stage(0.5625, {"dictionary": 0.16, "bible": 0.25, "short": 0.13, "match": 0.29, "pair": 0.05, "long": 0.12},
          {"dictionary": 2.0, "bible": 2.0, "short": 1.5, "match": 2.0, "pair": 1.0, "long": 1.5}),
    Stage(0.6875, {"match": 1.0}, {"match": 2.0}, dropout=0.0),
    Stage(0.7333, {"dictionary": 0.19, "bible": 0.29, "short": 0.13, "match": 0.04, "pair": 0.23, "long": 0.12},
          {"dictionary": 2.0, "bible": 2.0, "short": 1.5, "match": 2.0, "pair": 1.5, "long": 1.5}, dropout=0.0),
    Stage(0.875, {"dictionary": 0.16, "bible": 0.38, "short": 0.08, "match": 0.02, "pair": 0.14, "long": 0.22},
          {"dictionary": 2.0, "bible": 2.0, "short": 1.5, "match": 2.0, "pair": 1.5, "long": 2.0}, dropout=0.0),
)
EMBEDDING_RATE = 2.0  # times the learning rate: its entries start at one, those of the matrices at a tenth
MICRO_BATCHES = 2
BALANCE_WEIGHT, Z_WEIGHT = 0.01, 0.001
STEADY_MEMORY = 0.995  # of what is remembered of a token's routes, per step
AVERAGE_EVERY, AVERAGE_DECAY = 5, 0.98
VALIDATION = {"short": 1200, "pair": 1000, "long": 140, "dictionary": 300, "bible": 100}

# With --init-from: what is left to learn, with dropout against knowing the passages by heart.
LAST_STAGE = Stage(0.0, {"dictionary": 0.12, "bible": 0.34, "short": 0.06, "match": 0.01, "pair": 0.09, "long": 0.38},
                   {"dictionary": 2.0, "bible": 2.0, "short": 1.5, "match": 2.0, "pair": 1.5, "long": 2.0}, dropout=0.1)


def stage_at(progress: float, options) -> Stage:
    return LAST_STAGE if options.init_from else [stage for stage in STAGES if progress >= stage.begin][-1]


def learning_rate(step: int, options) -> float:
    """Of the peak: a straight rise, a plateau, a straight fall over the last `--decay` steps."""
    return min(1.0, (step + 1) / options.warm_up, max(0.0, (options.steps - step) / max(1, options.decay)))


class SteadyRouting:
    """Pulls each gate towards what it gave for the same token before, so that routes depend mostly on the token.

    Large trained models route mostly by token id (Xue et al. 2024, OpenMoE, section 4); an hour of training does not
    lead there by itself. Remembers per layer and token the gate's probabilities; the squares of their means, made to
    sum to one, are the target of a cross-entropy. After StableMoE (Dai et al. 2022), which fixes routes for good.
    """

    def __init__(self, vocab: int, experts: int, device: str):
        self.shape, self.device, self.sums = (vocab, experts), device, {}

    def loss(self, layer: str, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """ids: [N]; logits: [N, E]."""
        sums = self.sums.setdefault(layer, torch.zeros(self.shape, device=self.device))
        logs = torch.log_softmax(logits.float(), dim=-1)
        sums.mul_(STEADY_MEMORY).index_add_(0, ids, logs.detach().exp())
        target = sums[ids].square()
        return -(target / target.sum(dim=-1, keepdim=True) * logs).sum(dim=-1).mean()


def task_loss(model: SwitchModel, hidden: torch.Tensor, batch: Batch, real: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy per target token."""
    if batch.soft is None:
        return F.cross_entropy(model.logits(hidden[real]).float(), batch.target[real])
    logs = torch.log_softmax(model.logits(hidden).float(), dim=-1)  # [B, 2, vocab]: an answer and the end
    answer = -(batch.soft * logs[:, 0, batch.kinds]).sum(dim=-1)
    return (answer.mean() - logs[:, 1, END].mean()) / 2


def losses(model: SwitchModel, batch: Batch, steady: SteadyRouting, steady_weight: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The task's mean cross-entropy, and the auxiliary losses of all gates together."""
    real, shifted = batch.target != 0, shift_right(batch.target)
    loss = task_loss(model, model.hidden(batch.source, shifted, real), batch, real)
    auxiliary = loss.new_zeros(())
    for layer, routing in model.routings().items():
        ids, kept = (batch.source, batch.source != 0) if layer.startswith("encoder") else (shifted, real)
        auxiliary = auxiliary + BALANCE_WEIGHT * routing.balance_loss + Z_WEIGHT * routing.z_loss
        auxiliary = auxiliary + steady_weight * steady.loss(layer, ids[kept], routing.logits[kept])
    return loss, auxiliary


def normalised_entropy(experts: torch.Tensor, count: int) -> float:
    share = torch.bincount(experts.flatten(), minlength=count).double()
    share = share[share > 0] / share.sum()
    return float(-(share * share.log()).sum() / np.log(count))


@torch.no_grad()
def validate(model: SwitchModel, held_out: dict[str, list[Batch]], device: str) -> dict[str, float]:
    """Share of answers that are right (of hidden tokens, for infilling), and the least even use of experts."""
    model.eval()
    figures, used = {}, {}
    for task, batches in held_out.items():
        right = total = 0
        for batch in batches:
            source, target = batch.source.to(device), batch.target.to(device)
            real = target != 0
            logits = model.logits(model.hidden(source, shift_right(target), real))
            logits[..., -100:] = logits[..., :3] = -torch.inf  # no sentinels, no end: among text pieces
            best = logits.argmax(dim=-1)
            text = real & (target < model.geometry.vocab_size - 100) & (target > 2)
            right, total = right + int((best == target)[text].sum()), total + int(text.sum())
            for layer, routing in model.routings().items():
                mask = source != 0 if layer.startswith("encoder") else real
                used.setdefault(layer, []).append(routing.experts[mask].cpu())
        figures[task] = right / total
    figures["entropy"] = min(normalised_entropy(torch.cat(e), model.geometry.num_experts) for e in used.values())
    model.train()
    return figures


class Trainer:
    def __init__(self, options):
        self.options, self.out = options, options.out
        torch.manual_seed(options.seed)
        self.geometry = Geometry(num_experts=options.experts)
        self.model = self.first_model().to(options.device)
        embedding = [self.model.embedding]
        rest = [p for p in self.model.parameters() if p is not self.model.embedding]
        groups = [{"params": embedding, "rate": EMBEDDING_RATE}, {"params": rest, "rate": 1.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98),
                                           weight_decay=options.weight_decay, fused=True)
        self.steady = SteadyRouting(self.geometry.vocab_size, options.experts, options.device)
        self.average = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        data, tokenizer = self.out / "data", self.out / "tokenizer"
        hider = SpanHider(word_starts(tokenizer), self.geometry.vocab_size)
        self.streams = training_streams(data, hider, options.seed, options.batch_scale)
        self.held_out = {t: held_out_batches(data, "valid", t, hider, n) for t, n in VALIDATION.items()}
        self.step, self.seconds, self.tokens = 0, 0.0, 0
        self.recent: dict[str, float] = {}

    def first_model(self) -> SwitchModel:
        if self.options.init_from:
            model = load_model(self.options.init_from)
            wider = self.options.experts != model.geometry.num_experts
            return (widened(model, self.options.experts, self.options.seed) if wider else model).train()
        model = SwitchModel(self.geometry)
        start_from_counts(model, self.out / "data", self.options.seed)
        return model

    def log(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        with (self.out / "train.log").open("a") as file:
            file.write(line + "\n")

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average,
                 "step": self.step, "seconds": self.seconds, "tokens": self.tokens, "recent": self.recent,
                 "random": torch.get_rng_state(), "drawn": {n: s.drawn for n, s in self.streams.items()}, "steady": self.steady.sums}
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint.pt")

    def resume(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.options.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        self.tokens, self.recent, self.steady.sums = state["tokens"], state["recent"], state["steady"]
        torch.set_rng_state(state["random"].cpu())
        for name, drawn in state["drawn"].items():
            self.streams[name].skip_to(drawn)
        self.log(f"resumed at step {self.step}")

    def draw(self, share: dict[str, float]) -> list[Batch]:
        rng = np.random.default_rng((self.options.seed, self.step))
        names = rng.choice(list(share), size=MICRO_BATCHES, p=list(share.values()))
        return [self.streams[str(n)].next() for n in names]

    def train_step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * self.options.lr * learning_rate(self.step, self.options)
        stage = stage_at(self.step / self.options.steps, self.options)
        self.model.set_dropout(stage.dropout)
        for batch in self.draw(stage.share):
            self.tokens += batch.tokens()
            batch.move_to(self.options.device)
            with torch.autocast(self.options.device, torch.bfloat16, enabled=self.options.bf16):
                loss, auxiliary = losses(self.model, batch, self.steady, self.options.steady)
            ((stage.weight[batch.task] * loss + auxiliary) / MICRO_BATCHES).backward()
            self.recent[batch.task] = 0.98 * self.recent.get(batch.task, loss.item()) + 0.02 * loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            self.update_average()

    @torch.no_grad()
    def update_average(self) -> None:
        decay = min(AVERAGE_DECAY, self.step / (self.step + 20 * AVERAGE_EVERY))
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.model.parameters()], 1 - decay)

    def averaged_model(self) -> SwitchModel:
        model = SwitchModel(self.geometry).to(self.options.device)
        model.load_state_dict(self.average)
        return model

    def report(self, begin: float) -> None:
        rate = self.seconds / self.step
        losses_now = " ".join(f"{n} {v:.3f}" for n, v in self.recent.items())
        left = (self.options.steps - self.step) * rate
        self.log(f"step {self.step}/{self.options.steps}  {self.tokens / self.seconds:.0f} tokens/s  "
                 f"{rate:.2f} s/step  left {left / 60:.0f} min  loss {losses_now}")

    def validate_and_export(self) -> None:
        figures = validate(self.averaged_model(), self.held_out, self.options.device)
        self.log("averaged weights, held out: " + " ".join(f"{n} {v:.3f}" for n, v in figures.items()))
        with (self.out / "validation.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, "seconds": self.seconds, **figures}) + "\n")
        state = {n: p.cpu() for n, p in self.average.items()}
        export(state, self.geometry, self.out / "tokenizer", self.out / "export")
        (self.out / "export.json").write_text(json.dumps(
            {"step": self.step, "seconds": round(self.seconds), "tokens": self.tokens, "valid": figures,
             "drawn": {n: s.drawn for n, s in self.streams.items()}, "geometry": asdict(self.geometry),
             "options": {k: str(v) for k, v in vars(self.options).items() if k != "out"}}, indent=2) + "\n")

    def run(self) -> None:
        self.resume()
        options = self.options
        while self.step < options.steps:
            begin = time.monotonic()
            self.train_step()
            self.seconds += time.monotonic() - begin
            if self.step % 50 == 0:
                self.report(begin)
            if self.step % options.validate_every == 0 or self.step == options.steps:
                self.save()
                self.validate_and_export()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--steps", type=int, default=2400)
    arguments.add_argument("--decay", type=int, default=1300, help="steps of falling learning rate at the end")
    arguments.add_argument("--warm-up", type=int, default=40)
    arguments.add_argument("--lr", type=float, default=1.6e-3)
    arguments.add_argument("--weight-decay", type=float, default=0.01)
    arguments.add_argument("--steady", type=float, default=0.02, help="weight of routing a token as before")
    arguments.add_argument("--experts", type=int, default=16, help="16 for the shipped model; with --init-from a multiple of its experts, which are copied")
    arguments.add_argument("--batch-scale", type=float, default=1.0, help="1 for a processor; 8 suits a large GPU")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--bf16", action="store_true", help="compute products in bf16")
    arguments.add_argument("--init-from", type=Path, help="an exported model to go on from, with a fresh optimizer")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--validate-every", type=int, default=300)
    torch.set_flush_denormal(True)
    Trainer(arguments.parse_args()).run()


if __name__ == "__main__":
    main()
