"""Golden data of beam search: what the library's `generate` answers for the models of some cases."""

import json

import torch
from transformers import SwitchTransformersForConditionalGeneration

from golden_cases import CASES, START
from golden_model import build, load, pad

DEFAULTS = dict(num_beams=2, num_return_sequences=1, length_penalty=1.0, early_stopping=False, max_new_tokens=24,
                min_new_tokens=0, repetition_penalty=1.0, no_repeat_ngram_size=0)

# What differs from the defaults; each goes with every source of every model.
SETTINGS = [
    dict(),
    dict(num_beams=4, num_return_sequences=4),
    dict(num_beams=3, num_return_sequences=2, early_stopping=True),
    dict(num_beams=4, num_return_sequences=4, early_stopping="never"),
    dict(num_beams=3, num_return_sequences=3, length_penalty=0.0, early_stopping="never"),
    dict(num_beams=3, num_return_sequences=3, length_penalty=2.0),
    dict(num_beams=3, num_return_sequences=3, length_penalty=2.0, early_stopping="never"),
    dict(num_beams=3, num_return_sequences=3, length_penalty=-1.5, early_stopping="never"),
    dict(num_beams=8, num_return_sequences=8, max_new_tokens=12),
    dict(num_beams=4, num_return_sequences=2, max_new_tokens=1),
    dict(num_beams=2, num_return_sequences=2, min_new_tokens=9, length_penalty=0.5),
    dict(num_beams=3, num_return_sequences=2, repetition_penalty=1.3, early_stopping=True),
    dict(num_beams=3, num_return_sequences=2, no_repeat_ngram_size=2),
    dict(num_beams=4, num_return_sequences=3, min_new_tokens=4, repetition_penalty=1.2, no_repeat_ngram_size=3,
         early_stopping="never", length_penalty=0.7),
]

# `generate` sizes the cache by the encoder and fails for more decoder layers; it cannot read hash routing.
MODELS = ("base", "odd_sizes", "experts_64", "router_bias", "bf16_sharded", "capacity_1", "pickle_sharded", "padded_batch")


def search(model, source, settings):
    """The answers, the best first, as (ids, score), each with the end token where it was generated."""
    ids, mask = pad([source])
    with torch.no_grad():
        output = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, decoder_start_token_id=START,
                                return_dict_in_generate=True, output_scores=True, **settings)
    lengths = (output.beam_indices >= 0).sum(-1).tolist()
    return [(row[1 : 1 + length].tolist(), score.item())
            for row, length, score in zip(output.sequences, lengths, output.sequences_scores)]


def disturbed(model, seed):
    """The model with weights moved by as much as rounding might."""
    generator = torch.Generator().manual_seed(seed)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 1e-6 * torch.randn(weight.shape, generator=generator))
    return before


def make(cases_folder):
    """The searches with their answers. Leaves out those whose ids hang on rounding, and tells how many."""
    searches, left_out = [], 0
    for name in MODELS:
        case = next(case for case in CASES if case["name"] == name)
        original = build(case)
        model = load(cases_folder / name / "model", torch.float32, original)
        assert isinstance(model, SwitchTransformersForConditionalGeneration)
        answers = {(i, j): search(model, source, {**DEFAULTS, **settings})
                   for i, source in enumerate(case["sources"]) for j, settings in enumerate(SETTINGS)}
        firm = set(answers)
        for seed in (1, 2, 3):
            before = disturbed(model, seed)
            for i, j in sorted(firm):
                again = search(model, case["sources"][i], {**DEFAULTS, **SETTINGS[j]})
                if [ids for ids, _ in again] != [ids for ids, _ in answers[i, j]]:
                    firm.remove((i, j))
            model.load_state_dict(before)
        left_out += len(answers) - len(firm)
        for i, j in sorted(firm):
            searches.append(dict(case=name, sequence=i, **{**DEFAULTS, **SETTINGS[j]},
                                 ids=[ids for ids, _ in answers[i, j]], scores=[score for _, score in answers[i, j]]))
    assert len(searches) > 10 * left_out, (len(searches), left_out)
    return searches, left_out


def write(path, versions, searches, left_out):
    lines = ",\n".join(json.dumps(search) for search in searches)
    head = json.dumps(dict(versions=versions, left_out=left_out))
    path.write_text(f'{head[:-1]}, "searches": [\n{lines}\n]}}\n', encoding="utf-8")


def compare(old, new, tolerance):
    """What differs between two files."""
    old, new = (json.loads(path.read_text())["searches"] for path in (old, new))
    if len(old) != len(new):
        return [f"{len(old)} searches against {len(new)}"]
    problems = []
    for index, (a, b) in enumerate(zip(old, new)):
        if {**a, "scores": None} != {**b, "scores": None}:
            problems.append(f"search {index}: settings or ids differ")
        elif max(abs(x - y) for x, y in zip(a["scores"], b["scores"])) > tolerance * max(1, *map(abs, a["scores"])):
            problems.append(f"search {index}: scores differ")
    return problems
