"""Loads what `sida make-model` wrote with Hugging Face Transformers (tested with 4.57.1) and checks it.

    python check_with_hf.py DIRECTORY...

For each directory: from_pretrained reports no missing, unexpected or mismatched key; the weights have the dtype that
config.json declares; 20 greedy tokens are not all the same; every MoE layer sends 512 random tokens to more than one
expert. Directories of one geometry, seed and dtype (formats and sharding may differ) must hold equal tensors.
Exit code 1 and one line for each problem otherwise.
"""

import json
import pathlib
import sys

import torch
from transformers import SwitchTransformersForConditionalGeneration


def problems_of(directory, model, loading):
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if loading[kind]:
            yield f"{kind}: {sorted(loading[kind])[:3]}"
    declared = json.loads((directory / "config.json").read_text())["torch_dtype"]
    if str(model.dtype) != f"torch.{declared}":
        yield f"dtype is {model.dtype}, config.json declares {declared}"

    model = model.float().eval()
    ids = torch.randint(3, model.config.vocab_size, (8, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = model.generate(ids[:1], max_new_tokens=20, do_sample=False)[0].tolist()
        output = model(input_ids=ids, decoder_input_ids=ids, output_router_logits=True)
    print(f"{directory}: greedy {tokens}")
    if len(set(tokens[1:])) < 2:
        yield "greedy output repeats one token"
    sparse = [entry[0] for stack in (output.encoder_router_logits, output.decoder_router_logits) for entry in stack]
    for layer, logits in enumerate(logits for logits in sparse if logits.dim() == 3):
        counts = torch.bincount(logits.argmax(-1).flatten(), minlength=logits.shape[-1])
        gate = logits.softmax(-1).max(-1).values.mean().item()
        print(f"{directory}: MoE layer {layer}: tokens per expert {sorted(counts.tolist())[::-1][:8]}, mean gate {gate:.2f}")
        if (counts > 0).sum() < 2:
            yield f"MoE layer {layer} sends everything to one expert"


def main(directories):
    failed = False
    first = {}
    for directory in map(pathlib.Path, directories):
        model, loading = SwitchTransformersForConditionalGeneration.from_pretrained(
            directory, dtype="auto", output_loading_info=True
        )
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        problems = list(problems_of(directory, model, loading))
        key = json.loads((directory / "config.json").read_text())["torch_dtype"]
        other = first.setdefault(key, state)
        if other.keys() != state.keys() or any(not torch.equal(other[name], state[name]) for name in state):
            problems.append(f"its tensors differ from those of the first {key} directory")
        for problem in problems:
            failed = True
            print(f"{directory}: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
