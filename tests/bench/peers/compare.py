"""Times sida beside Hugging Face Transformers on the same cores in the same minutes, in interleaved pairs.

    ~/.cache/sida/peers/bin/python tests/bench/peers/compare.py --model DIR [--store DIR] [--budget 25] [--rounds 5]

DIR is as Hugging Face writes it (`sida make-model` does too); --store is the same model after `sida convert`, for sida alone.
Both systems run all the time, and only one of them is asked at a time; who is asked first changes from round to round.
Ratios are medians of the ratios of pairs: how many times longer Hugging Face takes.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "integration"))
from serve import Serve  # noqa: E402


class Sida:
    """Real processes under `sida serve`."""

    def __init__(self, options):
        flags = ["--workers", str(options.workers)]
        if options.budget:
            flags += ["--expert-memory", str(options.expert_bytes * options.budget // 100)]
        for name in ("predictor", "eviction"):
            if getattr(options, name):
                flags += [f"--{name}", getattr(options, name)]
        self.serve = Serve(options.store or options.model, *flags)
        self.address = urllib.parse.urlsplit(self.serve.url)

    def ask(self, source, tokens):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=600)
        body = {"prompt": source, "max_tokens": tokens, "min_tokens": tokens, "temperature": 0, "stream": True,
                "return_token_ids": True}
        begin, arrivals, ids = time.perf_counter(), [], []
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(response.read().decode())
        for line in response:
            if line.startswith(b"data: {"):
                new = json.loads(line[6:])["choices"][0].get("token_ids", [])
                ids += new
                arrivals += [time.perf_counter() - begin] * len(new)
        return arrivals, ids

    def wait_until_quiet(self):
        """What workers keep for its own sake has been read."""
        last, quiet = -1, 0
        while quiet < 5:
            read = sum(worker["bytes_read"] for worker in self.serve.status()["workers"])
            last, quiet = read, quiet + 1 if read == last else 0
            time.sleep(0.2)

    def close(self):
        self.serve.stop()


class HuggingFace:
    def __init__(self, options):
        command = [sys.executable, HERE / "huggingface.py", "--model", options.model]
        if options.budget:
            command += ["--budget", str(options.budget)]
        self.child = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = json.loads(self.child.stdout.readline())
        self.page_cache_most = 0

    def ask(self, source, tokens):
        self.child.stdin.write(json.dumps({"source": source, "tokens": tokens}) + "\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        self.page_cache_most = answer["page_cache_most"]
        return answer["arrivals"], answer["tokens"]

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=60)


def source(index, tokens):
    """Spread over the vocabulary, another one each time."""
    return [3 + (position * 7919 + index * 104729) % 30000 for position in range(tokens - 1)] + [1]


def figures(arrivals):
    return {"first_s": arrivals[0], "token_s": (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1)}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def run_pairs(options, ours, theirs):
    """Of each question: figures of sida, figures of Hugging Face, whether the answers have the same tokens."""
    pairs = []
    for index in range(options.rounds):
        question = source(index + 1, options.source_tokens)
        systems = [("sida", ours), ("huggingface", theirs)]
        asked = {name: system.ask(question, options.new_tokens) for name, system in systems[:: -1 if index % 2 else 1]}
        pairs.append({"sida": figures(asked["sida"][0]), "huggingface": figures(asked["huggingface"][0]),
                      "same": asked["sida"][1] == asked["huggingface"][1]})
        print(f"pair {index + 1} of {options.rounds}: {pairs[-1]}", file=sys.stderr, flush=True)
    return pairs


def report(options, pairs, theirs):
    result = {"model": pathlib.Path(options.model).name, "budget_percent": options.budget, "pairs": len(pairs),
              "source_tokens": options.source_tokens, "same_answers": sum(pair["same"] for pair in pairs),
              "huggingface": {**theirs.told, "page_cache_most_bytes": theirs.page_cache_most}, "rows": []}
    for key, what in (("first_s", "encoder and first token"), ("token_s", "each further token")):
        ratios = [pair["huggingface"][key] / pair["sida"][key] for pair in pairs]
        result["rows"].append({"what": what, "ratio": spread(ratios),
                               **{name: spread([1e3 * pair[name][key] for pair in pairs]) for name in ("sida", "huggingface")}})
    return result


def show(result):
    held = f"{result['budget_percent']} % of the experts" if result["budget_percent"] else "all resident"
    cell = lambda value, digits=1: f"{value['median']:.{digits}f} ({value['min']:.{digits}f} to {value['max']:.{digits}f})"
    print(f"{result['model']}, {held}, {result['pairs']} pairs, sources of {result['source_tokens']} tokens, "
          f"{result['same_answers']} answers with the same tokens\n")
    print("| what | sida, ms | Hugging Face, ms | ratio |\n| --- | --: | --: | --: |")
    for row in result["rows"]:
        print(f"| {row['what']} | {cell(row['sida'])} | {cell(row['huggingface'])} | {cell(row['ratio'], 2)} |")


def expert_bytes(model):
    config = json.loads((pathlib.Path(model) / "config.json").read_text())
    layers = config["num_sparse_encoder_layers"] + config["num_sparse_decoder_layers"]
    size = 2 if config.get("dtype", config.get("torch_dtype")) == "bfloat16" else 4
    return layers * config["num_experts"] * 2 * config["d_model"] * config["d_ff"] * size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--store", help="what sida reads; default: the model")
    parser.add_argument("--budget", type=int, help="percent of the experts' bytes that both may hold; default: all")
    parser.add_argument("--predictor")
    parser.add_argument("--eviction")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--source-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=9)
    parser.add_argument("--json")
    options = parser.parse_args()
    options.expert_bytes = expert_bytes(options.model)
    ours = Sida(options)
    try:
        theirs = HuggingFace(options)
        ours.wait_until_quiet()
        for system in (ours, theirs):
            system.ask(source(0, options.source_tokens), 2)
        result = report(options, run_pairs(options, ours, theirs), theirs)
        theirs.close()
    finally:
        ours.close()
    show(result)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
