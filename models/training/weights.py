"""Translates between the training module's tensors and Hugging Face's names, and writes a model directory."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import GenerationConfig, SwitchTransformersConfig, SwitchTransformersForConditionalGeneration

from make_tokenizer import copy_tokenizer
from switch_model import Geometry, SwitchModel

ATTENTION = {"self": "SelfAttention", "cross": "EncDecAttention"}


def config_of(g: Geometry) -> SwitchTransformersConfig:
    sparse = sum(g.is_sparse(i) for i in range(g.num_layers))
    return SwitchTransformersConfig(
        vocab_size=g.vocab_size, d_model=g.d_model, d_kv=g.d_kv, d_ff=g.d_ff, num_heads=g.num_heads,
        num_layers=g.num_layers, num_decoder_layers=g.num_layers, num_sparse_encoder_layers=sparse,
        num_sparse_decoder_layers=sparse, num_experts=g.num_experts, expert_capacity=g.expert_capacity,
        dropout_rate=g.dropout, router_jitter_noise=0.0, relative_attention_num_buckets=g.buckets,
        relative_attention_max_distance=g.max_distance, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        dtype="bfloat16")


def block_names(stack: str, index: int, sparse: bool):
    """Pairs of (our name, Hugging Face's name) in one block; experts, which are several to one, apart."""
    ours, theirs = f"{stack}.blocks.{index}", f"{stack}.block.{index}.layer"
    kinds = ["self"] + (["cross"] if stack == "decoder" else [])
    for place, kind in enumerate(kinds):
        yield f"{ours}.{kind}_norm.weight", f"{theirs}.{place}.layer_norm.weight"
        for part in "qkvo":
            yield f"{ours}.{kind}_attention.{part}", f"{theirs}.{place}.{ATTENTION[kind]}.{part}.weight"
    yield f"{ours}.mlp_norm.weight", f"{theirs}.{len(kinds)}.layer_norm.weight"
    if sparse:
        yield f"{ours}.mlp.gate", f"{theirs}.{len(kinds)}.mlp.router.classifier.weight"
    else:
        for part in ("wi", "wo"):
            yield f"{ours}.mlp.{part}", f"{theirs}.{len(kinds)}.mlp.{part}.weight"


def single_names(g: Geometry):
    yield "embedding", "shared.weight"
    for stack in ("encoder", "decoder"):
        yield f"{stack}.relative_bias", f"{stack}.block.0.layer.0.{ATTENTION['self']}.relative_attention_bias.weight"
        yield f"{stack}.norm.weight", f"{stack}.final_layer_norm.weight"
        for index in range(g.num_layers):
            yield from block_names(stack, index, g.is_sparse(index))


def expert_names(g: Geometry):
    """Pairs of (our stacked name, Hugging Face's name with a place for the expert's number)."""
    for stack, place in (("encoder", 1), ("decoder", 2)):
        for index in filter(g.is_sparse, range(g.num_layers)):
            for part in ("wi", "wo"):
                yield (f"{stack}.blocks.{index}.mlp.{part}",
                       f"{stack}.block.{index}.layer.{place}.mlp.experts.expert_{{}}.{part}.weight")


def to_hugging_face(state: dict[str, torch.Tensor], g: Geometry) -> dict[str, torch.Tensor]:
    made = {theirs: state[ours] for ours, theirs in single_names(g)}
    for ours, theirs in expert_names(g):
        made |= {theirs.format(e): state[ours][e] for e in range(g.num_experts)}
    return made


def from_hugging_face(state: dict[str, torch.Tensor], g: Geometry) -> dict[str, torch.Tensor]:
    made = {ours: state[theirs].float() for ours, theirs in single_names(g)}
    for ours, theirs in expert_names(g):
        made[ours] = torch.stack([state[theirs.format(e)].float() for e in range(g.num_experts)])
    return made


def export(state: dict[str, torch.Tensor], g: Geometry, tokenizer: Path, target: Path) -> None:
    """Writes what `save_pretrained` writes for the model in bf16, with the tokeniser beside it."""
    target.mkdir(parents=True, exist_ok=True)
    model = SwitchTransformersForConditionalGeneration(config_of(g))
    missing, unexpected = model.load_state_dict(to_hugging_face(state, g), strict=False)
    assert not unexpected and all("embed_tokens" in n or n == "lm_head.weight" for n in missing), (missing, unexpected)
    model.generation_config = GenerationConfig(decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    model.to(torch.bfloat16).save_pretrained(target)
    copy_tokenizer(tokenizer, target)


def geometry_of(directory: Path) -> Geometry:
    c = json.loads((directory / "config.json").read_text())
    return Geometry(c["vocab_size"], c["d_model"], c["d_kv"], c["d_ff"], c["num_heads"], c["num_layers"],
                    c["encoder_sparse_step"], c["num_experts"], c["expert_capacity"], c["dropout_rate"])


def load_model(directory: Path) -> SwitchModel:
    """The training module with an exported directory's weights, in fp32, ready for evaluation."""
    geometry = geometry_of(directory)
    model = SwitchModel(geometry)
    model.load_state_dict(from_hugging_face(load_file(directory / "model.safetensors"), geometry))
    return model.eval()


def widened(model: SwitchModel, experts: int, seed: int) -> SwitchModel:
    """The same model with several copies of each expert, to be trained on until they differ ("sparse upcycling", Komatsuzaki
    et al. 2023, from experts instead of dense layers). Copies of a gate's row are moved apart by half its size at random,
    which shares an expert's tokens out among its copies."""
    before = model.geometry.num_experts
    assert experts % before == 0, f"{experts} experts are not a multiple of {before}"
    torch.manual_seed(seed)
    wide = SwitchModel(replace(model.geometry, num_experts=experts))
    state = {name: tensor.repeat(experts // before, *[1] * (tensor.dim() - 1)) if is_of_experts(name, tensor) else tensor
             for name, tensor in model.state_dict().items()}
    for name in [n for n in state if n.endswith("mlp.gate")]:
        state[name] = state[name] + torch.randn_like(state[name]) * state[name].std() / 2
    wide.load_state_dict(state)
    return wide


def is_of_experts(name: str, tensor: torch.Tensor) -> bool:
    return name.endswith("mlp.gate") or (name.endswith(("mlp.wi", "mlp.wo")) and tensor.dim() == 3)
