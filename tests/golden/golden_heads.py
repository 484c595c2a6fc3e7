"""Golden data of heads for sequence classification, on the model of the case `base`.

The encoder is Hugging Face's, the head its T5ClassificationHead, read at the mean of the encoder's output over a
sequence's tokens.
"""

import json

import torch
from safetensors.torch import load_file, save_file
from transformers import SwitchTransformersEncoderModel, T5Config
from transformers.models.t5.modeling_t5 import T5ClassificationHead

CASE = "base"
HEADS = {"plain": (2, "classifier.", None),
         "topic": (5, "classification_head.", ["animal", "food", "place", "time", "tool"])}


def make_head(name, width, count):
    head = T5ClassificationHead(T5Config(d_model=width, num_labels=count, classifier_dropout=0.0)).eval()
    with torch.no_grad():
        for index, (_, weight) in enumerate(sorted(head.named_parameters())):
            generator = torch.Generator().manual_seed(100 * len(name) + index)
            weight.copy_(torch.randn(weight.shape, generator=generator) * (1.5 * width**-0.5 if weight.dim() == 2 else 0.5))
    return head


def write(folder, head, prefix, labels):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({prefix + name: value.contiguous() for name, value in head.state_dict().items()}, folder / "model.safetensors")
    if labels:
        config = {"id2label": {str(i): label for i, label in enumerate(labels)}}
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def make(cases, root):
    """Writes `heads/` and `heads.safetensors` below `root`; reads the case's model and sources below `cases`."""
    encoder = SwitchTransformersEncoderModel.from_pretrained(cases / CASE / "model").eval()
    golden, tensors = load_file(cases / CASE / "golden.safetensors"), {}
    for name, (count, prefix, labels) in HEADS.items():
        head = make_head(name, encoder.config.d_model, count)
        write(root / "heads" / name, head, prefix, labels)
        for key, ids in golden.items():
            sequence, _, kind = key.partition(".")
            if kind == "input_ids":
                encoded = encoder(input_ids=ids[None]).last_hidden_state
                tensors[f"{sequence}.{name}"] = head(encoded.mean(dim=1))[0].contiguous()
    save_file(tensors, root / "heads.safetensors")
