"""Golden data of the filters that are applied to logits before sampling."""

import random

import torch
from transformers import GenerationConfig, SwitchTransformersConfig
from transformers import SwitchTransformersForConditionalGeneration

from golden_cases import EOS, START

DEFAULTS = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0,
                no_repeat_ngram_size=0, min_new_tokens=0)


def settings():
    """(settings, number of previous tokens, shape of the logits) of every case."""
    one = [dict(temperature=t) for t in (0.05, 0.5, 0.9, 1.7, 20.0)]
    one += [dict(top_k=k) for k in (1, 2, 5, 40, 1000)]
    one += [dict(top_p=p) for p in (0.001, 0.1, 0.5, 0.9, 0.95, 0.999)]
    one += [dict(repetition_penalty=r) for r in (0.7, 1.1, 1.5, 3.0)]
    one += [dict(no_repeat_ngram_size=n) for n in (1, 2, 3, 4)]
    one += [dict(min_new_tokens=n) for n in (1, 5, 12, 13, 30)]
    result = [(s, 13, "normal") for s in [{}] + one]
    result += [
        (dict(no_repeat_ngram_size=2), 1, "normal"),
        (dict(no_repeat_ngram_size=3), 2, "normal"),
        (dict(no_repeat_ngram_size=3), 3, "normal"),
        (dict(min_new_tokens=1), 1, "normal"),
        (dict(min_new_tokens=2), 1, "eos_best"),
        (dict(repetition_penalty=1.3), 1, "normal"),
        (dict(top_k=3), 5, "ties"),
        (dict(top_k=4, temperature=0.5), 5, "ties"),
        (dict(top_p=0.9), 5, "peak"),
        (dict(top_p=0.5, top_k=3), 5, "peak"),
        (dict(top_p=0.9), 5, "flat"),
        (dict(top_p=0.3, temperature=3.0), 5, "peak"),
        (dict(repetition_penalty=1.2, no_repeat_ngram_size=2), 25, "normal"),
        (dict(temperature=0.7, top_k=50), 8, "normal"),
        (dict(temperature=0.7, top_k=50, top_p=0.9), 8, "normal"),
        (dict(temperature=1.4, top_k=20, top_p=0.8, repetition_penalty=1.2), 16, "normal"),
        (dict(temperature=0.8, top_k=10, top_p=0.7, repetition_penalty=1.3,
              no_repeat_ngram_size=2, min_new_tokens=20), 18, "eos_best"),
        (dict(temperature=1.2, top_p=0.6, repetition_penalty=0.8, no_repeat_ngram_size=1), 10, "normal"),
        (dict(top_k=1, min_new_tokens=5), 3, "eos_best"),
        (dict(do_sample=False, temperature=0.5, top_k=3, top_p=0.5), 6, "normal"),
        (dict(do_sample=False, repetition_penalty=1.4, no_repeat_ngram_size=2, min_new_tokens=9), 8, "eos_best"),
        (dict(do_sample=False), 6, "normal"),
    ]
    return [({**DEFAULTS, **s}, n, shape) for s, n, shape in result]


def make_logits(index, shape, vocab):
    logits = torch.randn(vocab, generator=torch.Generator().manual_seed(7000 + index)) * 3.0
    if shape == "ties":
        logits = torch.round(logits / 2.0) * 2.0
    elif shape == "flat":
        logits = logits * 0.01
    elif shape == "peak":
        logits[5] = logits.max() + 6.0
    elif shape == "eos_best":
        logits[EOS] = logits.max() + 2.0
    return logits


def check_boundary(scores, top_p):
    """The sum at which top-p cuts must not be within rounding of the limit."""
    if 0.0 < top_p < 1.0:
        total = torch.sort(scores).values.double().softmax(-1).cumsum(-1)
        assert (total[:-1] - (1.0 - top_p)).abs().min() > 1e-5


def make():
    """Returns the tensors and the list of settings."""
    vocab_sizes = (64, 97, 200)
    tensors, described = {}, []
    tiny = dict(d_model=8, d_kv=4, d_ff=8, num_heads=2, num_layers=2, num_decoder_layers=2,
                num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, num_experts=2)
    for index, (values, length, shape) in enumerate(settings()):
        vocab = vocab_sizes[index % 3]
        model = SwitchTransformersForConditionalGeneration(
            SwitchTransformersConfig(vocab_size=vocab, decoder_start_token_id=START, **tiny))
        rng = random.Random(9000 + index)
        # Few distinct ids, so that n-grams recur.
        previous = [START] + [rng.randrange(2, 7) for _ in range(length - 1)]
        ids = torch.tensor([previous])
        logits = make_logits(index, shape, vocab)

        def processed(**changes):
            config = GenerationConfig(**{**values, **changes}, eos_token_id=EOS, pad_token_id=0,
                                      decoder_start_token_id=START)
            model._prepare_special_tokens(config, device=torch.device("cpu"))
            # One start token precedes the generated ones.
            processors = model._get_logits_processor(
                config, input_ids_seq_length=1, encoder_input_ids=torch.tensor([[EOS]]),
                device=torch.device("cpu"))
            return processors(ids, logits[None].clone())[0], processors

        scores, processors = processed()
        if values["do_sample"]:
            check_boundary(processed(top_p=1.0)[0], values["top_p"])
        assert torch.isfinite(scores).any()
        tensors[f"case{index}.logits"] = logits
        tensors[f"case{index}.previous_ids"] = ids[0]
        tensors[f"case{index}.scores"] = scores
        described.append(dict(values, index=index, vocab_size=vocab, logits=shape, eos_token_id=EOS,
                              order=[type(p).__name__ for p in processors]))
    return tensors, described
