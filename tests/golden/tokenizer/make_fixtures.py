#!/usr/bin/env python3
"""Makes the tokeniser files of this folder and golden_ids.json, what the Python packages say about them.

Needs transformers 4.57.1, tokenizers 0.22.2, sentencepiece 0.2 and protobuf, and the Debian package wordnet-base. The
vocabulary and the character map are small, so that the files are; models/demo has both at full size.
"""

import contextlib
import json
import pathlib
import tempfile

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import T5TokenizerFast

from sample_strings import running_text, sample

HERE = pathlib.Path(__file__).resolve().parent
STRINGS_PER_FILE = 300
STRING_BYTES_MAX = 48  # Keeps golden_ids.json small.
PIECES = 500

# Rules of SentencePiece's nmt_nfkc that cover each of its kinds: one to one, one to many, many to one, one to none.
RULES = {
    "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\u200b": " ", "\u2028": " ",
    "\u2581": " ", "\ufeff": " ", "\ufffd": " ", "\x01": "", "\x7f": "", "\u00bd": "1\u20442", "\ufb01": "fi",
    "\u2460": "1", "\u212b": "\u00c5", "e\u0301": "\u00e9", "A\u030a": "\u00c5", "o\u0308": "\u00f6", "\u3300": "アパート",
    "\u1100\u1161": "\uac00", "\u1100\u1161\u11a8": "\uac01", "\uac00\u11a8": "\uac01", "\ufdfa": "صلى الله عليه وسلم",
    "\u0e33": "\u0e4d\u0e32", **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}}


def train():
    """Leaves spiece.model in the working directory. The names are relative since the file records them."""
    rules = pathlib.Path("rules.tsv")
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules.write_text("".join(f"{code(key)}\t{code(value)}\n" for key, value in RULES.items()))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(running_text()[:30000]), model_prefix="spiece", model_type="unigram",
        vocab_size=PIECES, normalization_rule_tsv=str(rules), pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=1,
        num_threads=1)


def load_spiece(path):
    """What transformers makes of a directory that has spiece.model alone."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "spiece.model").write_bytes(pathlib.Path(path).read_bytes())
        return T5TokenizerFast.from_pretrained(folder).backend_tokenizer


def variants(base):
    """The pipelines that converters wrote over time, as changes of the one that they write now."""
    squeeze = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    charsmap = base["normalizer"]["normalizers"][0]
    metaspace = {"type": "Metaspace", "replacement": "\u2581"}
    yield "t5", {}
    yield "t5_first", {"pre_tokenizer": {**metaspace, "prepend_scheme": "first", "split": True},
                       "decoder": {**metaspace, "prepend_scheme": "first", "split": True}}
    yield "metaspace_legacy", {
        "normalizer": {"type": "Sequence", "normalizers": [charsmap, squeeze]},
        "pre_tokenizer": {**metaspace, "str_rep": "\u2581", "add_prefix_space": True},
        "decoder": {**metaspace, "str_rep": "\u2581", "add_prefix_space": True}}
    yield "whitespace_split", {
        "normalizer": charsmap,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {**metaspace, "prepend_scheme": "always", "split": True}]}}
    yield "first_word", {
        "normalizer": {"type": "Sequence", "normalizers": [charsmap, {"type": "Strip", "strip_left": True, "strip_right": True}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {**metaspace, "prepend_scheme": "first", "split": True}]}}


def byte_fallback():
    """A file of the other kind: no character map, byte tokens, and added tokens with every flag."""
    bytes_ = [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    words = [("\u2581", -2.5), ("\u2581the", -1.5), ("the", -2.0), ("he", -2.0), ("day", -3.0), ("s", -2.0), ("\u2581\u2581", -4.0)]
    letters = [(letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyz.,"]
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0)] + words + letters + bytes_, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False),
                          AddedToken("</s>", rstrip=True, special=True, normalized=False),
                          AddedToken("Day", single_word=True, normalized=False), AddedToken("U.S.", normalized=True),
                          AddedToken("<extra_id_0>", normalized=True, lstrip=True, rstrip=True)])
    return json.loads(tokenizer.to_str())


def write(name, content):
    (HERE / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def describe(data, index, tokenizer):
    text = data.decode("utf-8", errors="replace")
    ids = tokenizer.encode(text).ids
    entry = {"text": text} if text.encode() == data else {"hex": data.hex()}
    entry["ids"] = ids
    if index % 4 == 0:
        entry["decoded"] = tokenizer.decode(ids, skip_special_tokens=False)
        entry["without_special"] = tokenizer.decode(ids, skip_special_tokens=True)
    return entry


def main():
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        train()
        (HERE / "spiece.model").write_bytes(pathlib.Path("spiece.model").read_bytes())
    files = {"spiece.model": load_spiece(HERE / "spiece.model")}
    base = json.loads(files["spiece.model"].to_str())
    for name, change in variants(base):
        write(name, {**base, **change})
    write("byte_fallback", byte_fallback())
    for name in [*dict(variants(base)), "byte_fallback"]:
        files[f"{name}.json"] = Tokenizer.from_file(str(HERE / f"{name}.json"))
    golden = {}
    for seed, (name, tokenizer) in enumerate(files.items()):
        strings = [data for data in sample(10 * STRINGS_PER_FILE, seed) if len(data) <= STRING_BYTES_MAX]
        golden[name] = [describe(data, i, tokenizer) for i, data in enumerate(strings[:STRINGS_PER_FILE])]
    lines = [f"{json.dumps(name)}:[\n" + ",\n".join(json.dumps(e, ensure_ascii=False, separators=(",", ":")) for e in entries) + "]"
             for name, entries in golden.items()]
    (HERE / "golden_ids.json").write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
