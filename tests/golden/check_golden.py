"""Computes golden cases anew and compares them with the committed files.

`python check_golden.py [case ...]` checks the named cases ('sampling', 'beams' and 'heads' are names too), or all.
Model files, ids and flags must be the same; numbers may differ by 1e-6, relative to the largest
value of their tensor where that is above 1.
"""

import argparse
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file

import golden_beams
import golden_heads
import make_golden
from golden_cases import CASES


def compare_tensors(old_path, new_path, tolerance):
    old, new = load_file(old_path), load_file(new_path)
    problems = [f"{old_path.name}: {name} is in one file alone" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        a, b = old[name], new[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            problems.append(f"{name}: {a.dtype} {tuple(a.shape)} against {b.dtype} {tuple(b.shape)}")
        elif torch.equal(a, b):
            continue
        elif not a.is_floating_point():
            problems.append(f"{name}: values differ")
        else:
            finite = a.isfinite()
            if not torch.equal(finite, b.isfinite()) or not torch.equal(a[~finite], b[~finite]):
                problems.append(f"{name}: infinite values differ")
                continue
            error = (a[finite] - b[finite]).abs().max().item()
            limit = tolerance * max(1.0, a[finite].abs().max().item())
            if error > limit:
                problems.append(f"{name}: differs by {error:.3g}, allowed {limit:.3g}")
    return problems


def compare_models(old, new):
    names = sorted({path.name for folder in (old, new) for path in folder.glob("*")})
    problems = []
    for name in names:
        paths = [folder / name for folder in (old, new)]
        if not all(path.exists() for path in paths):
            problems.append(f"model/{name} is on one side alone")
        elif paths[0].read_bytes() != paths[1].read_bytes():
            problems.append(f"model/{name} differs")
    return problems


def check(name, root, tolerance):
    committed = make_golden.HERE
    if name == "sampling":
        make_golden.make_sampling(root)
        return compare_tensors(committed / "sampling.safetensors", root / "sampling.safetensors", tolerance)
    if name == "beams":
        make_golden.make_beams(root)
        return golden_beams.compare(committed / "beams.json", root / "beams.json", tolerance)
    if name == "heads":
        golden_heads.make(committed / "cases", root)
        problems = compare_tensors(committed / "heads.safetensors", root / "heads.safetensors", tolerance)
        return problems + [p for head in golden_heads.HEADS
                           for p in compare_models(committed / "heads" / head, root / "heads" / head)]
    make_golden.make_case(next(case for case in CASES if case["name"] == name), root)
    old, new = (base / "cases" / name for base in (committed, root))
    return compare_models(old / "model", new / "model") + compare_tensors(
        old / "golden.safetensors", new / "golden.safetensors", tolerance)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    arguments = parser.parse_args()
    make_golden.prepare()
    known = [case["name"] for case in CASES] + ["sampling", "beams", "heads"]
    unknown = set(arguments.cases) - set(known)
    if unknown:
        parser.error(f"unknown case: {', '.join(sorted(unknown))}")
    failed = False
    for name in arguments.cases or known:
        with tempfile.TemporaryDirectory() as folder:
            problems = check(name, pathlib.Path(folder), arguments.tolerance)
        print(f"{name}: {'stale' if problems else 'same'}")
        for problem in problems:
            print(f"  {problem}")
        failed = failed or bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
