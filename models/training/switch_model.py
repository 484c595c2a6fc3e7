"""Switch Transformer, the same function as Hugging Face's, made fast enough to train on two cores.

All experts of a layer are one tensor; tokens are sorted by expert, so that an expert's product is one slice.
`check_model.py` shows that it gives Hugging Face's numbers; `weights.py` translates the names.
Shapes: B sequences, S tokens, D = d_model, H heads, K = d_kv, F = d_ff, E experts.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Geometry:
    vocab_size: int = 8000
    d_model: int = 128
    d_kv: int = 32
    d_ff: int = 512
    num_heads: int = 4
    num_layers: int = 6  # in each of the two stacks
    sparse_step: int = 2  # blocks 1, 3, 5 have experts
    num_experts: int = 16
    expert_capacity: int = 64
    dropout: float = 0.05
    buckets: int = 32
    max_distance: int = 128

    def is_sparse(self, block: int) -> bool:
        return block % self.sparse_step == 1 or self.sparse_step == 1


@dataclass
class Routing:
    """What one MoE layer decided, and its two auxiliary losses."""

    experts: torch.Tensor  # [B, S] int64, before capacity
    logits: torch.Tensor  # [B, S, E] float32
    balance_loss: torch.Tensor
    z_loss: torch.Tensor


def normal(*shape: int, std: float) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) * std)


def drop(x: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """Dropout. On a processor it draws eight elements at once, the rate rounded to a 256th: five times as fast."""
    if not training or rate == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, rate)
    drawn = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-2**63, None).view(torch.uint8)[:x.numel()]
    threshold = round(rate * 256)
    return x * (drawn >= threshold).view_as(x).to(x.dtype).mul_(256 / (256 - threshold))


class RmsNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-6)


class Dense(nn.Module):
    """wo(relu(wi(x)))"""

    def __init__(self, g: Geometry):
        super().__init__()
        self.wi = normal(g.d_ff, g.d_model, std=g.d_model**-0.5)
        self.wo = normal(g.d_model, g.d_ff, std=g.d_ff**-0.5)
        self.rate = g.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(drop(F.relu(F.linear(x, self.wi)), self.rate, self.training), self.wo)


class Experts(nn.Module):
    """The gate and all experts of one layer."""

    def __init__(self, g: Geometry):
        super().__init__()
        self.gate = normal(g.num_experts, g.d_model, std=0.05)  # Hugging Face's 1.0 by a twentieth: it balances sooner
        self.wi = normal(g.num_experts, g.d_ff, g.d_model, std=g.d_model**-0.5)
        self.wo = normal(g.num_experts, g.d_model, g.d_ff, std=g.d_ff**-0.5)
        self.capacity = g.expert_capacity
        self.rate = g.dropout
        self.routing: Routing | None = None

    def forward(self, x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """x: [B, S, D]; real: [B, S], false on padding, which is not computed here since nothing reads it."""
        logits = F.linear(x.float(), self.gate.float())
        weights = torch.softmax(logits, dim=-1)
        chosen_weight, chosen = weights.max(dim=-1)
        self.routing = self.losses(logits, weights, chosen, real)
        rows = torch.nonzero((real & self.within_capacity(chosen, real)).flatten()).squeeze(1)
        order = rows[torch.argsort(chosen.flatten()[rows], stable=True)]
        counts = torch.bincount(chosen.flatten()[order], minlength=len(self.gate)).tolist()
        width = x.shape[-1]
        done = self.run(x.reshape(-1, width)[order], counts)
        done = done * chosen_weight.flatten()[order].unsqueeze(1).to(done.dtype)
        return torch.zeros_like(x, dtype=done.dtype).view(-1, width).index_copy(0, order, done).view_as(x)

    def within_capacity(self, chosen: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        if chosen.shape[1] <= self.capacity:
            return torch.ones_like(real)
        taken = F.one_hot(chosen, len(self.gate)).cumsum(dim=1)
        return taken.gather(2, chosen.unsqueeze(2)).squeeze(2) <= self.capacity

    def run(self, x: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """x: rows sorted by expert; counts: rows of each expert."""
        parts, wis, wos = x.split(counts), self.wi.unbind(0), self.wo.unbind(0)
        made = [F.linear(drop(F.relu(F.linear(part, wis[e])), self.rate, self.training), wos[e])
                for e, part in enumerate(parts) if counts[e]]
        return torch.cat(made)

    def losses(self, logits, weights, chosen, real) -> Routing:
        """Switch's balance loss, equation 4, over real tokens, and the squared log-partition of the gate."""
        if not self.training:
            return Routing(chosen.detach(), logits, logits.new_zeros(()), logits.new_zeros(()))
        experts = len(self.gate)
        share = torch.bincount(chosen[real], minlength=experts) / real.sum()
        balance = experts * (share * weights[real].mean(dim=0)).sum()
        return Routing(chosen.detach(), logits, balance, torch.logsumexp(logits[real], dim=-1).square().mean())


class Attention(nn.Module):
    def __init__(self, g: Geometry):
        super().__init__()
        inner = g.num_heads * g.d_kv
        self.q = normal(inner, g.d_model, std=(g.d_model * g.d_kv) ** -0.5)
        self.k = normal(inner, g.d_model, std=g.d_model**-0.5)
        self.v = normal(inner, g.d_model, std=g.d_model**-0.5)
        self.o = normal(g.d_model, inner, std=inner**-0.5)
        self.heads = g.num_heads

    def split_heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x: torch.Tensor, memory: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """x: [B, S, D]; memory: [B, M, D]; bias: broadcasts to [B, H, S, M], with the mask in it."""
        q, k, v = (self.split_heads(F.linear(a, w)) for a, w in ((x, self.q), (memory, self.k), (memory, self.v)))
        scores = torch.softmax(torch.matmul(q, k.transpose(2, 3)).float() + bias, dim=-1).to(v.dtype)
        mixed = torch.matmul(scores, v)
        return F.linear(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1), self.o)


class Block(nn.Module):
    def __init__(self, g: Geometry, index: int, decoder: bool):
        super().__init__()
        self.self_norm, self.self_attention = RmsNorm(g.d_model), Attention(g)
        self.decoder = decoder
        if decoder:
            self.cross_norm, self.cross_attention = RmsNorm(g.d_model), Attention(g)
        self.sparse = g.is_sparse(index)
        self.mlp_norm, self.mlp = RmsNorm(g.d_model), (Experts(g) if self.sparse else Dense(g))
        self.rate = g.dropout

    def forward(self, x, real, bias, memory=None, memory_bias=None) -> torch.Tensor:
        n = self.self_norm(x)
        x = x + drop(self.self_attention(n, n, bias), self.rate, self.training)
        if self.decoder:
            x = x + drop(self.cross_attention(self.cross_norm(x), memory, memory_bias), self.rate, self.training)
        n = self.mlp_norm(x)
        return x + drop(self.mlp(n, real) if self.sparse else self.mlp(n), self.rate, self.training)


class Stack(nn.Module):
    """Encoder or decoder: blocks that share one table of relative positions."""

    def __init__(self, g: Geometry, decoder: bool):
        super().__init__()
        self.blocks = nn.ModuleList(Block(g, i, decoder) for i in range(g.num_layers))
        self.relative_bias = normal(g.buckets, g.num_heads, std=g.d_model**-0.5)
        self.norm = RmsNorm(g.d_model)
        self.geometry, self.decoder = g, decoder

    def bucket(self, length: int) -> torch.Tensor:
        """[S, S] bucket of (key position - query position), as T5 defines it."""
        g, positions = self.geometry, torch.arange(length)
        distance = positions[None, :] - positions[:, None]
        if self.decoder:
            buckets, start, distance = g.buckets, 0, (-distance).clamp(min=0)
        else:
            buckets = g.buckets // 2
            start, distance = (distance > 0).long() * buckets, distance.abs()
        exact = buckets // 2
        ratio = torch.log(distance.clamp(min=1).float() / exact) / math.log(g.max_distance / exact)
        far = (exact + (ratio * (buckets - exact)).long()).clamp(max=buckets - 1)
        return start + torch.where(distance < exact, distance, far)

    def self_bias(self, real: torch.Tensor) -> torch.Tensor:
        """[B or 1, H, S, S]: relative positions, and a large negative number where looking is forbidden."""
        length = real.shape[1]
        bias = self.relative_bias[self.bucket(length).to(real.device)].permute(2, 0, 1).unsqueeze(0).float()
        if self.decoder:
            return bias.masked_fill(~torch.ones(length, length, dtype=torch.bool, device=real.device).tril(), -1e9)
        return bias if bool(real.all()) else bias + padding_bias(real)

    def forward(self, x, real, memory=None, memory_real=None) -> torch.Tensor:
        bias = self.self_bias(real)
        memory_bias = padding_bias(memory_real) if memory is not None else None
        x = drop(x, self.geometry.dropout, self.training)
        for block in self.blocks:
            x = block(x, real, bias, memory, memory_bias)
        return drop(self.norm(x), self.geometry.dropout, self.training)

    def routings(self) -> dict[int, Routing]:
        return {i: b.mlp.routing for i, b in enumerate(self.blocks) if b.sparse}


def padding_bias(real: torch.Tensor) -> torch.Tensor:
    return torch.zeros(real.shape, device=real.device).masked_fill(~real, -1e9)[:, None, None, :]


class SwitchModel(nn.Module):
    def __init__(self, g: Geometry):
        super().__init__()
        self.geometry = g
        self.embedding = normal(g.vocab_size, g.d_model, std=1.0)
        self.encoder, self.decoder = Stack(g, decoder=False), Stack(g, decoder=True)

    def set_dropout(self, rate: float) -> None:
        self.geometry.dropout = rate
        for module in self.modules():
            if hasattr(module, "rate"):
                module.rate = rate

    def hidden(self, source: torch.Tensor, shifted: torch.Tensor, target_real: torch.Tensor) -> torch.Tensor:
        """source: [B, S], 0 is padding; shifted: [B, T] decoder input, begins with 0; gives [B, T, D], scaled."""
        real = source != 0
        memory = self.encoder(F.embedding(source, self.embedding), real)
        out = self.decoder(F.embedding(shifted, self.embedding), target_real, memory, real)
        return out * self.geometry.d_model**-0.5

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return F.linear(hidden, self.embedding)

    def routings(self) -> dict[str, Routing]:
        return {f"{name}.{i}": r for name in ("encoder", "decoder") for i, r in getattr(self, name).routings().items()}


def shift_right(target: torch.Tensor) -> torch.Tensor:
    """Decoder input for a target padded with 0: the start token, then the target without its last token."""
    return F.pad(target, (1, 0))[:, :-1]
