"""Writes models/demo/README.md, the model card, from the figures that the other scripts left under --out."""

import argparse
import json
from pathlib import Path

TASKS = {"short": "topic of a definition, one of 45", "pair": "does the sentence show this meaning of the word",
         "long": "kind of book of a passage of 200 to 500 tokens"}


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def task_rows(figures: dict, baselines: dict) -> list[str]:
    rows = ["| task | examples | model | bag of words | majority |", "| --- | --: | --: | --: | --: |"]
    for task, meaning in TASKS.items():
        f, b = figures[task], baselines[task]
        rows.append(f"| {task}: {meaning} | {f['examples']} | {percent(f['accuracy'])} | {percent(b['bag_of_words'])} | "
                    f"{percent(b['majority'])} |")
    return rows


def infill_rows(figures: dict, baselines: dict) -> list[str]:
    rows = ["| infilling | hidden tokens | model | always the commonest token | times |", "| --- | --: | --: | --: | --: |"]
    for source, f in figures["infill"].items():
        base = baselines["infill"][source]["accuracy"]
        rows.append(f"| {source} | {f['hidden_tokens']} | {percent(f['accuracy'])} | {percent(base)} | "
                    f"{f['accuracy'] / base:.1f} |")
    return rows


def pair_rows(figures: dict) -> list[str]:
    rows = ["| pair, by kind | examples | right |", "| --- | --: | --: |"]
    rows += [f"| {kind} | {f['examples']} | {percent(f['accuracy'])} |" for kind, f in figures["pair"]["by_kind"].items()]
    return rows


def layer_rows(routes: dict) -> list[str]:
    rows = ["| MoE layer | entropy of expert use | table top-1 | table top-3 |", "| --- | --: | --: | --: |"]
    for layer, held_out in routes["table"]["held_out"].items():
        rows.append(f"| {layer} | {routes['entropy']['all'][layer]:.3f} | {held_out['top1']:.1f} % | "
                    f"{held_out['top3']:.1f} % |")
    return rows


def head_rows(heads: dict, baselines: dict) -> list[str]:
    rows = ["| head | labels | examples | right | bag of words |", "| --- | --: | --: | --: | --: |"]
    rows += [f"| {task} | {h['labels']} | {h['examples']} | {percent(h['accuracy'])} | {percent(baselines[task]['bag_of_words'])} |"
             for task, h in heads.items()]
    return rows


def short_of_goal(figures: dict, baselines: dict) -> list[str]:
    """The goals: a bag of words on each task, three times the commonest token when infilling."""
    below = [task for task in TASKS if figures[task]["accuracy"] < baselines[task]["bag_of_words"]]
    below += [f"infilling ({source})" for source, f in figures["infill"].items()
              if f["accuracy"] < 3 * baselines["infill"][source]["accuracy"]]
    if not below:
        return []
    return ["", f"Still below its goals: {', '.join(below)}. These weights are a first stage; longer training moves them "
            "(`--init-from models/demo`)."]


def training_row(runs: list[dict]) -> str:
    steps, tokens, seconds = (sum(r[key] for r in runs) for key in ("step", "tokens", "seconds"))
    stages = f" in {len(runs)} stages" if len(runs) > 1 else ""
    return f"Training: {steps} steps{stages}, {tokens / 1e6:.1f} million tokens, {seconds / 60:.0f} minutes."


def card(figures: dict, baselines: dict, routes: dict, heads: dict, runs: list[dict]) -> str:
    g = runs[-1]["geometry"]
    parts = [
        "# sida-demo",
        "",
        f"A small Switch Transformer: d_model {g['d_model']}, d_ff {g['d_ff']}, {g['num_layers']} + {g['num_layers']} "
        f"blocks, every second one with {g['num_experts']} experts (3 + 3 MoE layers), {g['vocab_size']} pieces, bf16. "
        "Trained on WordNet 3.0's definitions and example sentences and the King James Bible, by `models/training`, from "
        "counted embeddings and random matrices, its gates pulled towards routing a token as before (weight "
        f"{runs[-1]['options']['steady']}). It exists so that sida can be tried and tested on real text, not to be useful.",
        "",
        training_row(runs),
        "",
        "All figures are on held-out sources (no synset and no chapter is shared with training), with Hugging Face's own",
        "model on these bf16 weights, computed in fp32, greedy.",
        "", *task_rows(figures, baselines),
        "", *infill_rows(figures, baselines),
        *short_of_goal(figures, baselines),
        "",
        "Negatives of `pair`: the sentence shows another sense of the word; a sentence of another word with the word put in "
        "its place; a sentence of another word.",
        "", *pair_rows(figures),
        "",
        "Expert use and the token-id table (`token-table/`: for each token id its likeliest experts, counted on training "
        "data; hits on held-out tokens). It is the baseline of the learned hash function in `predictor/`. Entropy is normalised: 1 is perfectly even.",
        "", *layer_rows(routes),
        "",
        "Heads for sequence classification (`heads/`), trained on the frozen encoder, for `/v2/models/<head>/infer`:",
        "", *head_rows(heads, baselines),
        "",
        "## Prompts",
        "",
        "    topic: a large ship that carries goods across the sea",
        "    pair: bank; meaning: sloping land; sentence: they sat on the bank of the river",
        "    book: <a passage of the Bible>",
        "    <extra_id_0> or any text with hidden spans: a person who <extra_id_0> music",
        "",
        "## Licence",
        "",
        "Weights: Apache-2.0, as the project. WordNet is Princeton University's, used under its licence (`NOTICE`); the King "
        "James text is in the public domain in most countries.",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/demo-model"))
    arguments.add_argument("--model", type=Path, default=Path("models/demo"))
    arguments.add_argument("--earlier", type=Path, nargs="*", default=[], help="export.json of the stages before")
    options = arguments.parse_args()
    figures, baselines, routes, heads = (json.loads((options.out / name).read_text())
                                         for name in ("figures.json", "baselines.json", "routes.json", "heads.json"))
    runs = [json.loads(path.read_text()) for path in [*options.earlier, options.out / "export.json"]]
    (options.model / "README.md").write_text(card(figures, baselines, routes, heads, runs))


if __name__ == "__main__":
    main()
