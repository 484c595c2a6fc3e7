"""Hugging Face Transformers in a process of its own: reads one question per line, answers one line. Started by compare.py.

    {"source": [...], "tokens": 8}  ->  {"arrivals": [seconds of each token since the question], "tokens": [...]}
"""

import argparse
import ctypes
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

import torch
from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration
from transformers.generation import StoppingCriteria

PAGE_CACHE_BYTES_MAX = 512 << 20
CACHESTAT = 451  # Linux 6.5 and later.


class Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class CacheCounts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")]


class PageCache:
    """Of the model's files: what accelerate reads through it counts as memory."""

    def __init__(self, model):
        self.files = [os.open(path, os.O_RDONLY) for path in pathlib.Path(model).iterdir() if path.is_file()]
        self.libc = ctypes.CDLL(None)
        self.most = 0

    def cached(self):
        whole, counts, pages = Range(0, 0), CacheCounts(), 0
        for file in self.files:
            if self.libc.syscall(CACHESTAT, file, ctypes.byref(whole), ctypes.byref(counts), 0) != 0:
                return PAGE_CACHE_BYTES_MAX + 1  # An older kernel does not tell: drop it every time.
            pages += counts.cached
        return pages * os.sysconf("SC_PAGESIZE")

    def forget(self):
        for file in self.files:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def keep_small(self):
        while True:
            held = self.cached()
            self.most = max(self.most, held)
            if held > PAGE_CACHE_BYTES_MAX:
                self.forget()
            time.sleep(0.01)


class Clock(StoppingCriteria):
    """Notes when each token was there."""

    def __init__(self):
        self.begin, self.arrivals = time.perf_counter(), []

    def __call__(self, input_ids, scores, **_):
        self.arrivals.append(time.perf_counter() - self.begin)
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def weight_bytes(model):
    """Of the trunk and of the experts."""
    with torch.device("meta"):
        empty = SwitchTransformersForConditionalGeneration(SwitchTransformersConfig.from_pretrained(model))
    size = {torch.bfloat16: 2, torch.float32: 4}[empty.config.dtype or torch.float32]
    experts = sum(p.numel() for name, p in empty.named_parameters() if ".experts." in name)
    return (sum(p.numel() for p in empty.parameters()) - experts) * size, experts * size


def load(options):
    config = SwitchTransformersConfig.from_pretrained(options.model)
    arguments = {"dtype": config.dtype or torch.float32}
    if options.budget:
        trunk, experts = weight_bytes(options.model)
        arguments |= {"device_map": "auto", "max_memory": {"cpu": trunk + experts * options.budget // 100},
                      "offload_folder": options.scratch}
    return SwitchTransformersForConditionalGeneration.from_pretrained(options.model, **arguments).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--budget", type=int, help="percent of the experts' bytes; default: all resident")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="sida-peers-") as options.scratch:
        model = load(options)
        cache = PageCache(options.model)
        if options.budget:
            threading.Thread(target=cache.keep_small, daemon=True).start()
        places = getattr(model, "hf_device_map", {})
        print(json.dumps({"ready": True, "on_disk": sum(place == "disk" for place in places.values()),
                          "modules": len(places)}), flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            clock = Clock()
            with torch.inference_mode():
                answer = model.generate(torch.tensor([question["source"]]), max_new_tokens=question["tokens"],
                                        min_new_tokens=question["tokens"], do_sample=False, stopping_criteria=[clock])
            print(json.dumps({"arrivals": clock.arrivals, "tokens": answer[0, 1:].tolist(),
                              "page_cache_most": cache.most}), flush=True)


if __name__ == "__main__":
    main()
