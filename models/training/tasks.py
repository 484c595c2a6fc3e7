"""Turns entries and chapters into the four tasks, each a list of (prompt, answer, kind) in plain text.

The wording of a prompt is decided here and nowhere else.
"""

import random
import re
from dataclasses import dataclass

from corpus import Chapter, Entry, entries_by_word

MAX_DEFINITION_WORDS = 60
MAX_SENTENCE_WORDS = 30
NEGATIVES_PER_SENTENCE = 3


@dataclass
class Example:
    prompt: str
    answer: str
    kind: str = ""  # what sort of positive or negative; empty where the task has one kind only


def clip(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def short_prompt(definition: str) -> str:
    return f"topic: {clip(definition, MAX_DEFINITION_WORDS)}"


def pair_prompt(word: str, definition: str, sentence: str) -> str:
    return f"pair: {word}; meaning: {clip(definition, MAX_DEFINITION_WORDS)}; sentence: {sentence}"


def long_prompt(passage: str) -> str:
    return f"book: {passage}"


def short_examples(entries: list[Entry]) -> list[Example]:
    return [Example(short_prompt(e.definition), e.topic) for e in entries]


# --- pair -----------------------------------------------------------------------------------------------------------


@dataclass
class Use:
    """A sentence that shows an entry's meaning, and the place of the word in it."""

    entry: Entry
    word: str
    sentence: str
    found: str  # the word as the sentence has it, perhaps inflected


def find_word(word: str, sentence: str) -> str | None:
    """The word as it stands in the sentence: itself, or with a common English ending."""
    stem = word[:-1] if len(word) > 3 and word[-1] in "ey" else word
    pattern = rf"\b({re.escape(word)}|{re.escape(stem)}(?:s|es|ed|d|ing|ies|ied|e|y)?|{re.escape(word)}{re.escape(word[-1])}(?:ed|ing))\b"
    match = re.search(pattern, sentence, re.IGNORECASE)
    return match[1] if match else None


def uses_of(entries: list[Entry]) -> list[Use]:
    uses = []
    for entry in entries:
        for sentence in entry.sentences:
            sentence = clip(sentence, MAX_SENTENCE_WORDS)
            for word in entry.words:
                found = find_word(word, sentence)
                if found:
                    uses.append(Use(entry, word, sentence, found))
                    break
    return uses


def other_sense(use: Use, by_word: dict[str, list[Entry]], rng: random.Random) -> Example | None:
    """The sentence has the word, but in another of its meanings."""
    part_of_speech = use.entry.part_of_speech
    senses = [e for e in by_word[use.word.lower()] if e is not use.entry and e.part_of_speech == part_of_speech]
    if not senses:
        return None
    return Example(pair_prompt(use.word, rng.choice(senses).definition, use.sentence), "no", "other sense")


def swapped_word(use: Use, uses: list[Use], rng: random.Random) -> Example | None:
    """A sentence about another word of the same part of speech, with the asked word put in its place."""
    for _ in range(20):
        other = rng.choice(uses)
        exact = other.found.lower() == other.word.lower()
        if exact and other.word != use.word and other.entry.part_of_speech == use.entry.part_of_speech:
            sentence = other.sentence.replace(other.found, use.word)
            return Example(pair_prompt(use.word, use.entry.definition, sentence), "no", "swapped word")
    return None


def other_use(use: Use, uses: list[Use], rng: random.Random) -> Use:
    """A use of another word, in whose sentence the asked word does not occur."""
    while True:
        other = rng.choice(uses)
        if other.entry is not use.entry and find_word(use.word, other.sentence) is None:
            return other


def other_sentence(use: Use, uses: list[Use], rng: random.Random) -> Example:
    return Example(pair_prompt(use.word, use.entry.definition, other_use(use, uses, rng).sentence), "no", "other sentence")


def negative(use: Use, uses: list[Use], by_word: dict[str, list[Entry]], rng: random.Random) -> Example:
    draw = rng.random()
    made = None
    if draw < 0.35:
        made = other_sense(use, by_word, rng)
    elif draw < 0.60:
        made = swapped_word(use, uses, rng)
    return made or other_sentence(use, uses, rng)


def match_prompt(word: str, sentence: str) -> str:
    return f"pair: {word}; sentence: {sentence}"


def match_examples(entries: list[Entry], seed: int) -> tuple[list[Example], list[Example]]:
    """An easier `pair` to begin with, for training only: without the definition, and the negatives are sentences of
    other words. Finding the word in the sentence is learned from it in a hundred batches, from `pair` in none."""
    rng, uses = random.Random(seed), uses_of(entries)
    positives = [Example(match_prompt(u.word, u.sentence), "yes", "shows it") for u in uses]
    return positives, [Example(match_prompt(u.word, other_use(u, uses, rng).sentence), "no", "other sentence") for u in uses]


def pair_examples(entries: list[Entry], seed: int, negatives: int) -> tuple[list[Example], list[Example]]:
    """All positives, and `negatives` negatives for each, drawn from the same split only."""
    rng = random.Random(seed)
    uses, by_word = uses_of(entries), entries_by_word(entries)
    positives = [Example(pair_prompt(u.word, u.entry.definition, u.sentence), "yes", "shows it") for u in uses]
    return positives, [negative(u, uses, by_word, rng) for u in uses for _ in range(negatives)]


# --- long and infilling ---------------------------------------------------------------------------------------------


def passages(chapter: Chapter, low: int, high: int, length_of, rng: random.Random) -> list[str]:
    """Cuts a chapter into runs of whole verses of `low` to `high` tokens each; a short rest is left out."""
    made, run, length = [], [], 0
    target = rng.randint(low, high)
    for verse in chapter.verses:
        tokens = length_of(verse)
        if run and length + tokens > high:
            made += [" ".join(run)] if length >= low else []
            run, length, target = [], 0, rng.randint(low, high)
        run.append(verse)
        length += tokens
        if target <= length <= high:
            made.append(" ".join(run))
            run, length, target = [], 0, rng.randint(low, high)
    if low <= length <= high:
        made.append(" ".join(run))
    return made


def long_examples(chapters: list[Chapter], length_of, seed: int, rounds: int) -> list[Example]:
    """`rounds` different ways of cutting the chapters; 198 leaves room for the prompt's first word and the end."""
    rng = random.Random(seed)
    return [Example(long_prompt(p), c.kind) for _ in range(rounds) for c in chapters
            for p in passages(c, 198, 490, length_of, rng)]


def mixed_examples(chapters: list[Chapter], length_of, seed: int, count: int) -> list[Example]:
    """Passages for training only, of 100 to 490 tokens: runs of one to four verses from anywhere in one kind of book. There
    are few chapters, and whole passages of them are soon known by heart; these are never the same twice."""
    rng, made = random.Random(seed), []
    of_kind: dict[str, list[Chapter]] = {}
    for chapter in chapters:
        of_kind.setdefault(chapter.kind, []).append(chapter)
    while len(made) < count:
        kind, target = rng.choice(chapters).kind, rng.randint(100, 490)
        verses, length = [], 0
        while length < target:
            chapter = rng.choice(of_kind[kind])
            begin = rng.randrange(len(chapter.verses))
            for verse in chapter.verses[begin:begin + rng.randint(1, 4)]:
                verses.append(verse)
                length += length_of(verse)
        if length <= 490:
            made.append(Example(long_prompt(" ".join(verses)), kind))
    return made


def infill_texts(entries: list[Entry], chapters: list[Chapter], length_of, seed: int) -> tuple[list[str], list[str]]:
    """Text to hide spans of: dictionary entries, and verses of the Bible in runs of 24 to 100 tokens."""
    rng = random.Random(seed)
    dictionary = []
    for entry in entries:
        words = clip(", ".join(entry.words), 12)
        sentences = [clip(s, MAX_SENTENCE_WORDS) for s in entry.sentences[:2]]
        dictionary.append("; ".join([f"{words}: {clip(entry.definition, MAX_DEFINITION_WORDS)}"] + sentences))
    bible = [p for c in chapters for p in passages(c, 24, 100, length_of, rng)]
    return dictionary, bible
