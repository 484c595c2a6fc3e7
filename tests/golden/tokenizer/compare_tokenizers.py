#!/usr/bin/env python3
"""Compares tokenize_strings with the Python tokenizers package on many strings, for each tokeniser file given.

usage: compare_tokenizers.py [--count N] [--seed N] PROGRAM [FILE ...]

PROGRAM is build/release/tests/tokenize_strings. FILE is a tokenizer.json, or a spiece.model, which transformers converts;
default: the files of this folder and those of models/demo. Packages: those of make_fixtures.py.
"""

import argparse
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

from make_fixtures import HERE, load_spiece
from sample_strings import sample


class Results:
    """The program's answers, one after another."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, size):
        self.position += size
        return self.data[self.position - size:self.position]

    def size(self):
        return struct.unpack("<I", self.take(4))[0]

    def next(self):
        count = self.size()
        ids = list(struct.unpack(f"<{count}i", self.take(4 * count)))
        return ids, self.take(self.size()).decode(), self.take(self.size()).decode()


def run(program, path, strings):
    with tempfile.TemporaryDirectory() as folder:
        name = "tokenizer.json" if path.suffix == ".json" else "spiece.model"
        shutil.copy(path, pathlib.Path(folder) / name)
        stdin = b"".join(struct.pack("<I", len(data)) + data for data in strings)
        return Results(subprocess.run([program, folder], input=stdin, stdout=subprocess.PIPE, check=True).stdout)


def compare(program, path, strings):
    reference = Tokenizer.from_file(str(path)) if path.suffix == ".json" else load_spiece(path)
    reference.no_padding()
    reference.no_truncation()
    results, differences = run(program, path, strings), 0
    for data in strings:
        text = data.decode("utf-8", errors="replace")
        ids = reference.encode(text).ids
        expected = (ids, reference.decode(ids, skip_special_tokens=False), reference.decode(ids, skip_special_tokens=True))
        actual = results.next()
        if actual != expected:
            differences += 1
            if differences <= 3:
                print(f"  {data[:120]!r}\n    expected {expected[0][:24]} {expected[1][:60]!r}\n"
                      f"    actual   {actual[0][:24]} {actual[1][:60]!r}")
    print(f"{path}: {len(strings)} strings, {differences} differences", flush=True)
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("program")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    demo = HERE.parents[2] / "models/demo"
    files = options.files or [*sorted(path for path in HERE.glob("*.json") if path.name != "golden_ids.json"),
                              HERE / "spiece.model", demo / "tokenizer.json", demo / "spiece.model"]
    strings = sample(options.count, options.seed)
    return 1 if sum(compare(options.program, path, strings) for path in files) else 0


if __name__ == "__main__":
    sys.exit(main())
