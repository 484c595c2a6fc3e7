"""Writes the golden test data: `python make_golden.py [case ...]` (see README.md)."""

import argparse
import json
import pathlib
import shutil

import safetensors
import torch
import transformers
from safetensors.torch import save_file

import golden_beams
import golden_heads
import golden_sampling
from golden_cases import CASES, EOS, PAD, START
from golden_model import MAX_NEW_TOKENS, build, confirm, forced, greedy, load, save

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = dict(transformers=transformers.__version__, torch=torch.__version__.split("+")[0],
                safetensors=safetensors.__version__)
BF16 = ("encoder.output", "decoder.output", "logits", "logprobs")


def prepare():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    # The order of sums, and so the last bit, depends on the number of threads.
    torch.set_num_threads(1)


def groups(case):
    every = list(range(len(case["sources"])))
    return [every] if case["padded"] else [[i] for i in every]


def run_group(case, group, model, half):
    """All tensors of the sequences that share one batch."""
    sources = [case["sources"][i] for i in group]
    targets = [case["targets"][i] for i in group]
    rows = forced(model, sources, targets)
    decoded = greedy(model, sources)
    confirm(model, sources, decoded, case["binds"])
    for row, more in zip(rows, decoded):
        row.update(more)
    if half is not None:
        for row, other in zip(rows, forced(half, sources, targets)):
            row.update({f"bf16.{name}": value for name, value in other.items()
                        if name in BF16 or ".moe." in name})
    return rows


def gap(probabilities):
    best = probabilities.topk(2, dim=-1).values
    return (best[:, 0] - best[:, 1]).min().item()


def describe(case, model, rows):
    """The contents of golden.json."""
    sparse = {side: [i for i, block in enumerate(getattr(model, side).block) if block.is_sparse]
              for side in ("encoder", "decoder")}

    def dropped(row, side):
        return sum(int((row[f"{side}.moe.{i}.kept"] == 0).sum()) for i in sparse[side])

    sequences = []
    for i, row in enumerate(rows):
        ids = row["greedy_ids"].tolist()
        sequences.append(dict(
            index=i, source_length=len(case["sources"][i]), target_length=len(case["targets"][i]),
            greedy_length=len(ids), stopped_by="eos" if ids[-1] == EOS else "length",
            dropped_encoder=dropped(row, "encoder"), dropped_decoder=dropped(row, "decoder"),
            smallest_greedy_margin=row["greedy_margin"].min().item(),
            smallest_router_gap=min(gap(value) for name, value in row.items()
                                    if name.endswith(".probabilities") and "bf16" not in name)))
    used = {f"{side}.moe.{i}": len(set(torch.cat([row[f"{side}.moe.{i}.expert_ids"] for row in rows]).tolist()))
            for side in sparse for i in sparse[side]}
    return dict(
        case=case["name"], description=case["description"], seed=case["seed"],
        dtype=case["dtype"], reference_dtype="float32", weights="safetensors" if case["safe"] else "pickle",
        sharded=case["shard"] is not None, tied=case["config"].get("tie_word_embeddings", True),
        expert_capacity=case["config"]["expert_capacity"], num_experts=case["config"]["num_experts"],
        sparse_blocks=sparse, experts_used=used, padded_batch=case["padded"],
        decoder_start_token_id=START, eos_token_id=EOS, pad_token_id=PAD,
        max_new_tokens=MAX_NEW_TOKENS, has_bf16_run=case["dtype"] == "bfloat16",
        versions=VERSIONS, sequences=sequences)


def check_useful(case, report):
    """Refuses data whose answers would hang on rounding or that miss the point of the case."""
    for row in report["sequences"]:
        assert row["smallest_greedy_margin"] > 1e-3, (case["name"], row)
        assert row["smallest_router_gap"] > (1e-6 if case["twins"] else 5e-6), (case["name"], row)
        assert case["binds"] or row["dropped_encoder"] + row["dropped_decoder"] == 0, row
    if case["binds"]:
        for side in ("encoder", "decoder"):
            assert sum(row[f"dropped_{side}"] for row in report["sequences"]) > 0, (case["name"], side)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def make_case(case, root):
    """Writes one case below `root` and returns its report."""
    folder = root / "cases" / case["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    original = build(case)
    save(original, case, folder / "model")
    model = load(folder / "model", torch.float32, original)
    half = load(folder / "model", torch.bfloat16, original) if case["dtype"] == "bfloat16" else None
    rows = [None] * len(case["sources"])
    for group in groups(case):
        for i, row in zip(group, run_group(case, group, model, half)):
            rows[i] = row
    report = describe(case, model, rows)
    check_useful(case, report)
    tensors = {f"seq{i}.{name}": value.contiguous() for i, row in enumerate(rows)
               for name, value in row.items()}
    save_file(tensors, folder / "golden.safetensors")
    write_json(folder / "golden.json", report)
    return report


def make_sampling(root):
    tensors, described = golden_sampling.make()
    root.mkdir(parents=True, exist_ok=True)
    save_file(tensors, root / "sampling.safetensors")
    write_json(root / "sampling.json", dict(versions=VERSIONS, cases=described))


def make_beams(root):
    root.mkdir(parents=True, exist_ok=True)
    golden_beams.write(root / "beams.json", VERSIONS, *golden_beams.make(HERE / "cases"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="names of cases, 'sampling', 'beams' or 'heads' (default: everything)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE)
    arguments = parser.parse_args()
    prepare()
    known = {case["name"]: case for case in CASES}
    unknown = set(arguments.cases) - set(known) - {"sampling", "beams", "heads"}
    if unknown:
        parser.error(f"unknown case: {', '.join(sorted(unknown))}")
    for name in arguments.cases or [*known, "sampling", "beams", "heads"]:
        if name == "sampling":
            make_sampling(arguments.output)
            print("sampling")
            continue
        if name == "beams":
            make_beams(arguments.output)
            print("beams")
            continue
        if name == "heads":
            golden_heads.make(HERE / "cases", arguments.output)
            print("heads")
            continue
        report = make_case(known[name], arguments.output)
        lengths = [f"{r['source_length']}/{r['target_length']}/{r['greedy_length']}{r['stopped_by'][0]}"
                   f" drop {r['dropped_encoder']}+{r['dropped_decoder']}" for r in report["sequences"]]
        print(f"{name}: {'; '.join(lengths)}; experts used {list(report['experts_used'].values())}")


if __name__ == "__main__":
    main()
