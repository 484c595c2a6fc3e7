"""Writes predictor directories with token-id tables: random ones, and ones counted from routes that a cluster reported."""

import collections
import json
import pathlib
import random
import struct
import tempfile

K = 3


def moe_blocks(config):
    """(stack, block) of every MoE layer, in the order of use."""
    blocks = []
    for stack, layers in (("encoder", config["num_layers"]), ("decoder", config["num_decoder_layers"])):
        step = config[f"{stack}_sparse_step"]
        blocks += [(stack, block) for block in range(layers) if step > 0 and (block % step == 1 or step == 1)]
    return blocks


def half(value):
    return struct.pack("<e", value)


def write_table(model, seed=None, counts=None):
    """A temporary directory. `counts`: {(layer, token): Counter of experts}; without, everything is random."""
    config = json.loads((pathlib.Path(model) / "config.json").read_text())
    vocabulary, experts = config["vocab_size"], config["num_experts"]
    randoms = random.Random(seed)
    tensors = {}
    for layer, (stack, block) in enumerate(moe_blocks(config)):
        ids, confidences = bytearray(), bytearray()
        for token in range(vocabulary):
            seen = (counts or {}).get((layer, token), collections.Counter())
            best = seen.most_common(K) if counts is not None else [(e, 1) for e in randoms.sample(range(experts), K)]
            total = max(1, sum(seen.values())) if counts is not None else K
            best += [(-1, 0)] * (K - len(best))
            ids += struct.pack(f"<{K}h", *(expert for expert, _ in best))
            confidences += b"".join(half(count / total) for _, count in best)
        tensors[f"{stack}.{block}.experts"] = ("I16", [vocabulary, K], bytes(ids))
        tensors[f"{stack}.{block}.confidence"] = ("F16", [vocabulary, K], bytes(confidences))
    folder = tempfile.TemporaryDirectory(prefix="sida-table-")
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path = pathlib.Path(folder.name)
    (path / "table.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    (path / "predictor.json").write_text(json.dumps({"kind": "token_id_table", "k": K}))
    return folder


def count_routes(counts, layers_before, tokens, experts):
    """Adds one sequence's routes of a stack: experts[layer][token], as the API reports them."""
    for layer, row in enumerate(experts):
        for token, expert in zip(tokens, row):
            if expert >= 0:
                counts[(layers_before + layer, token)][expert] += 1
