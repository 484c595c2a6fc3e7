"""Trains the Unigram tokeniser on the training text and writes it as Hugging Face does for T5."""

import shutil
from pathlib import Path

import sentencepiece
from transformers import T5TokenizerFast

from corpus import BOOK_KINDS, TOPICS, Chapter, Entry

SENTINELS = 100
PIECES = 8000 - SENTINELS
ANSWER_REPEATS = 2000  # so that every answer, and every word of the prompts, becomes one piece


def answer_words() -> list[str]:
    return [answer for _, answer in TOPICS] + list(BOOK_KINDS) + ["yes", "no"]


def training_lines(entries: list[Entry], chapters: list[Chapter]) -> list[str]:
    lines = [" ; ".join([", ".join(e.words), e.definition] + e.sentences) for e in entries if e.split == "train"]
    lines += [verse for c in chapters if c.split == "train" for verse in c.verses]
    prompt_words = ["topic:", "pair:", "meaning:", "sentence:", "book:"]
    return lines + (answer_words() + prompt_words) * ANSWER_REPEATS


def make_tokenizer(entries: list[Entry], chapters: list[Chapter], out_dir: Path) -> T5TokenizerFast:
    out_dir.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(training_lines(entries, chapters)), model_prefix=str(out_dir / "spiece"),
        model_type="unigram", vocab_size=PIECES, character_coverage=0.9999, normalization_rule_name="nmt_nfkc",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=2, minloglevel=1)
    tokenizer = as_fast(out_dir)
    tokenizer.save_pretrained(out_dir)
    for leftover in (out_dir / "spiece.vocab", out_dir / "added_tokens.json"):
        leftover.unlink(missing_ok=True)
    return tokenizer


def as_fast(out_dir: Path) -> T5TokenizerFast:
    """Converts spiece.model to tokenizer.json, with a word-start mark before the first word, as T5 has it.

    The option that asks for the mark makes every later load convert again, so it is not kept in the configuration.
    """
    spiece, converted = str(out_dir / "spiece.model"), str(out_dir / "tokenizer.json")
    settings = {"extra_ids": SENTINELS, "legacy": True, "model_max_length": 512}
    T5TokenizerFast(vocab_file=spiece, add_prefix_space=True, **settings)._tokenizer.save(converted)
    return T5TokenizerFast(vocab_file=spiece, tokenizer_file=converted, **settings)


def check_answers(tokenizer: T5TokenizerFast) -> None:
    for word in answer_words():
        ids = tokenizer(word).input_ids
        assert len(ids) == 2, f"the answer {word!r} should be one piece, but is {ids}"


def copy_tokenizer(source: Path, target: Path) -> None:
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / name, target / name)
