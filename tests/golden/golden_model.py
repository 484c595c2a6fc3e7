"""Builds the tiny models, runs the reference and collects its tensors."""

import zlib

import torch
from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from golden_cases import EOS, PAD, START

MAX_NEW_TOKENS = 24
TABLES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")


def table_scale(config):
    """Small beside the blocks' output, or else greedy decoding repeats its last token; larger
    where many experts are to be reached."""
    return 0.3 if config.num_experts < 64 else 0.8


def scale(name, config):
    """Standard deviation of a weight: larger than the library's own, whose output is flat."""
    d, inner = config.d_model, config.num_heads * config.d_kv
    kind = name.split(".")[-2]
    if kind in ("shared", "embed_tokens"):
        return table_scale(config)
    if kind == "lm_head":
        return 2.5 * d**-0.5
    if kind == "relative_attention_bias":
        return 2.0
    if kind == "classifier":
        return 0.5 if name.endswith("bias") else 2.0 * d**-0.5
    if kind == "wi":
        return 1.5 * d**-0.5
    if kind == "wo":
        return (6.0 if ".experts." in name else 2.5) * config.d_ff**-0.5
    return {"q": 2.0 * (d * config.d_kv) ** -0.5, "k": d**-0.5, "v": 1.5 * d**-0.5,
            "o": (1.0 if config.num_experts < 64 else 0.4) * inner**-0.5}[kind]


def build(case):
    """The model of a case with weights that depend on seed and name alone."""
    config = SwitchTransformersConfig(**case["config"])
    model = SwitchTransformersForConditionalGeneration(config)
    if case["separate_embeddings"]:
        for stack in (model.encoder, model.decoder):
            stack.embed_tokens = torch.nn.Embedding(config.vocab_size, config.d_model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            key = zlib.crc32(f"{case['seed']}:{name}".encode())
            generator = torch.Generator().manual_seed(key)
            noise = torch.randn(weight.shape, generator=generator)
            if "layer_norm" in name:
                weight.copy_(1.0 + 0.2 * noise)
                if name == "decoder.final_layer_norm.weight" and config.tie_word_embeddings:
                    # Sets the spread of the logits.
                    weight.mul_(2.4 / table_scale(config))
            else:
                weight.copy_(scale(name, config) * noise)
        if case["twins"]:
            for name, module in model.named_modules():
                if name.endswith(".mlp") and hasattr(module, "router"):
                    make_twins(module, config.num_experts // 2)
    if case["hash_routing"]:
        config.hash_routing = True
        route_by_token(model.encoder, case["seed"])
        route_by_token(model.decoder, case["seed"] + 1)
    return model.to(getattr(torch, case["dtype"])).eval()


def route_by_token(stack, seed):
    """Hash Layers (Roller et al. 2021): each MoE layer's table gives every token id its expert, with
    weight 1. The classifier is gone; the rest of the library's layer stays as it is."""
    seen = {}
    stack.embed_tokens.register_forward_pre_hook(lambda _, args: seen.update(ids=args[0]))
    for i, block in enumerate(stack.block):
        if not block.is_sparse:
            continue
        router = block.layer[-1].mlp.router
        generator = torch.Generator().manual_seed(1000 * seed + i)
        table = torch.randint(router.num_experts, (stack.config.vocab_size,), generator=generator)
        router.register_buffer("token_experts", table.to(torch.int32))
        del router.classifier
        router._compute_router_probabilities = look_up(router, seen)


def look_up(router, seen):
    def probabilities(hidden_states):
        chosen = torch.nn.functional.one_hot(router.token_experts[seen["ids"]].long(), router.num_experts)
        return chosen.to(hidden_states.dtype), 1000.0 * chosen  # The softmax of the latter is the former.
    return probabilities


def make_twins(mlp, half):
    """The upper half of the experts repeats the lower one, with router rows that differ by one
    unit in the last bf16 place of one element: in fp32 either twin may win."""
    rows = mlp.router.classifier.weight
    for i in range(half):
        rows[i, i] = 0.1875
        rows[half + i] = rows[i]
        rows[half + i, i] = 0.1875 + 2.0**-10
        mlp.experts[f"expert_{half + i}"].load_state_dict(mlp.experts[f"expert_{i}"].state_dict())


def save(model, case, folder):
    options = {"max_shard_size": case["shard"]} if case["shard"] else {}
    model.save_pretrained(folder, safe_serialization=case["safe"], **options)


def load(folder, dtype, original):
    """Reads a saved model back. An untied model saved as safetensors lists only `shared.weight`
    where the three tables are one; the library then leaves the other two uninitialised, so they
    are pointed at the shared table, as they were when the model was saved. The library cannot read a
    model without gates: then it is the one that was saved."""
    if getattr(original.config, "hash_routing", False):
        return original.to(dtype)
    model, info = SwitchTransformersForConditionalGeneration.from_pretrained(
        folder, dtype=dtype, output_loading_info=True)
    if info["missing_keys"]:
        assert set(info["missing_keys"]) == set(TABLES), info
        model.encoder.embed_tokens.weight = model.shared.weight
        model.decoder.embed_tokens.weight = model.shared.weight
    assert not info["unexpected_keys"] and not info["mismatched_keys"]
    expected, found = original.state_dict(), model.state_dict()
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        assert torch.equal(weight.to(dtype), found[name]), name
    return model.eval()


class Recorder:
    """Collects embeddings, block outputs and routing of one forward pass through hooks."""

    def __init__(self, model):
        self.values = {}
        self.handles = []
        for side in ("encoder", "decoder"):
            stack = getattr(model, side)
            # Both stacks may own the same table, yet the modules are distinct.
            self._hook(stack.embed_tokens, f"{side}.embedding")
            self._hook(stack.final_layer_norm, f"{side}.output")
            for i, block in enumerate(stack.block):
                self._hook(block, f"{side}.block.{i}")
                if block.is_sparse:
                    self._hook(block.layer[-1].mlp.router, f"{side}.moe.{i}", self._route)

    def _hook(self, module, name, function=None):
        def keep(_, args, output):
            self.values.update((function or self._plain)(name, args, output))
        self.handles.append(module.register_forward_hook(keep))

    @staticmethod
    def _plain(name, _, output):
        hidden = output[0] if isinstance(output, tuple) else output
        return {name: hidden.detach().float().clone()}

    @staticmethod
    def _route(name, args, output):
        mask, weight, logits = output
        probabilities = torch.softmax(logits, dim=-1, dtype=torch.float32)
        rounded = probabilities.to(args[0].dtype)
        assert torch.equal(rounded.max(-1).values, weight.squeeze(-1))
        return {f"{name}.probabilities": probabilities, f"{name}.expert_ids": rounded.argmax(-1),
                f"{name}.kept": mask.sum(-1).to(torch.uint8)}

    def close(self):
        for handle in self.handles:
            handle.remove()


def pad(rows):
    width = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def forced(model, sources, targets):
    """One teacher-forced pass over a right-padded batch; returns a dictionary per row."""
    ids, mask = pad(sources)
    decoder_ids, decoder_mask = pad([[START] + row[:-1] for row in targets])
    recorder = Recorder(model)
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids,
                       decoder_attention_mask=decoder_mask, output_router_logits=False)
    recorder.close()
    rows = []
    for i, (source, target) in enumerate(zip(sources, targets)):
        lengths = {"encoder": len(source), "decoder": len(target)}
        row = {name: value[i, : lengths[name.split(".")[0]]]
               for name, value in recorder.values.items()}
        row["logits"] = output.logits[i, : len(target)].float()
        log = torch.log_softmax(row["logits"], dim=-1)
        row["logprobs"] = log.gather(-1, torch.tensor(target)[:, None])[:, 0]
        row["input_ids"] = torch.tensor(source)
        row["decoder_input_ids"] = decoder_ids[i, : len(target)]
        row["target_ids"] = torch.tensor(target)
        rows.append(row)
    return rows


def greedy(model, sources):
    """Greedy decoding with the cache, step by step, to see the margins and the routing.

    The library's `generate` gives the same ids (checked by `confirm`), but it fails for a model
    with more decoder than encoder layers, because it sizes the cache by the encoder."""
    ids, mask = pad(sources)
    cache, last = None, torch.full((len(sources), 1), START)
    with torch.no_grad():
        encoded = BaseModelOutput(last_hidden_state=model.encoder(ids, attention_mask=mask)[0])
    rows = [{"greedy_ids": [], "greedy_margin": [], "greedy_logprobs": []} for _ in sources]
    done = [False] * len(sources)
    recorder = Recorder(model)
    for _ in range(MAX_NEW_TOKENS):
        with torch.no_grad():
            output = model(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=last,
                           past_key_values=cache, use_cache=True, output_router_logits=False)
        cache = output.past_key_values
        log = torch.log_softmax(output.logits[:, -1].float(), dim=-1)
        best = log.topk(2, dim=-1)
        choice = log.argmax(-1)
        for i, row in enumerate(rows):
            if done[i]:
                choice[i] = PAD
                continue
            row["greedy_ids"].append(choice[i].item())
            row["greedy_margin"].append((best.values[i, 0] - best.values[i, 1]).item())
            row["greedy_logprobs"].append(best.values[i, 0].item())
            for name, value in recorder.values.items():
                if name.startswith("decoder.moe.") and name.endswith(".expert_ids"):
                    row.setdefault(f"greedy.{name}", []).append(value[i, 0].item())
            done[i] = choice[i].item() == EOS
        if all(done):
            break
        last = choice[:, None]
    recorder.close()
    return [{name: torch.tensor(value) for name, value in row.items()} for row in rows]


def confirm(model, sources, rows, binds):
    """Checks the greedy result against `generate` and against passes over whole prefixes."""
    config = model.config
    if config.num_decoder_layers <= config.num_layers:
        ids, mask = pad(sources)
        output = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, num_beams=1,
                                max_new_tokens=MAX_NEW_TOKENS, decoder_start_token_id=START)
        for generated, row in zip(output[:, 1:].tolist(), rows):
            n = len(row["greedy_ids"])
            assert generated[:n] == row["greedy_ids"].tolist() and set(generated[n:]) <= {PAD}
    if not binds:
        full = forced(model, sources, [row["greedy_ids"].tolist() for row in rows])
        for whole, row in zip(full, rows):
            assert torch.equal(whole["logits"].argmax(-1), row["greedy_ids"])
            assert torch.allclose(whole["logprobs"], row["greedy_logprobs"], atol=1e-4)
