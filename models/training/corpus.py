"""Reads the two sources, WordNet's glosses and the King James Bible, and splits them.

Every piece of text belongs to exactly one of "train", "valid" and "test", by a hash of the id of its source:
the head word of a WordNet entry, or the chapter of the Bible.
"""

import hashlib
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

WORDNET_DIR = Path("/usr/share/wordnet")
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")

# Lexicographer files in WordNet's order (lexnames(5)), each with the one English word that names it as an answer.
TOPICS = (
    ("adj.all", "adjective"), ("adj.pert", "pertaining"), ("adv.all", "adverb"), ("noun.Tops", "entity"),
    ("noun.act", "act"), ("noun.animal", "animal"), ("noun.artifact", "artifact"), ("noun.attribute", "attribute"),
    ("noun.body", "body"), ("noun.cognition", "cognition"), ("noun.communication", "communication"),
    ("noun.event", "event"), ("noun.feeling", "feeling"), ("noun.food", "food"), ("noun.group", "group"),
    ("noun.location", "location"), ("noun.motive", "motive"), ("noun.object", "object"), ("noun.person", "person"),
    ("noun.phenomenon", "phenomenon"), ("noun.plant", "plant"), ("noun.possession", "possession"),
    ("noun.process", "process"), ("noun.quantity", "quantity"), ("noun.relation", "relation"),
    ("noun.shape", "shape"), ("noun.state", "state"), ("noun.substance", "substance"), ("noun.time", "time"),
    ("verb.body", "grooming"), ("verb.change", "change"), ("verb.cognition", "thinking"),
    ("verb.communication", "speaking"), ("verb.competition", "competition"), ("verb.consumption", "consumption"),
    ("verb.contact", "contact"), ("verb.creation", "creation"), ("verb.emotion", "emotion"),
    ("verb.motion", "motion"), ("verb.perception", "perception"), ("verb.possession", "owning"),
    ("verb.social", "social"), ("verb.stative", "being"), ("verb.weather", "weather"), ("adj.ppl", "participial"),
)

# Books of the Bible by kind, as the program `bible` abbreviates them. Acts is told as history, Revelation as prophecy.
BOOK_KINDS = {
    "law": "Ge Exo Lev Num Deu",
    "history": "Josh Jdgs Ruth 1Sm 2Sm 1Ki 2Ki 1Chr 2Chr Ezra Neh Est Acts",
    "poetry": "Job Psa Prv Eccl SSol",
    "prophecy": "Isa Jer Lam Eze Dan Hos Joel Amos Obad Jonah Mic Nahum Hab Zep Hag Zec Mal Rev",
    "gospel": "Mat Mark Luke John",
    "letter": "Rom 1Cor 2Cor Gal Eph Phi Col 1Th 2Th 1Tim 2Tim Titus Phmn Heb Jas 1Pet 2Pet 1Jn 2Jn 3Jn Jude",
}


@dataclass
class Entry:
    """One WordNet synset: the words that share a meaning, its definition and its example sentences."""

    id: str
    topic: str
    part_of_speech: str
    words: list[str]
    definition: str
    sentences: list[str] = field(default_factory=list)
    split: str = ""


@dataclass
class Chapter:
    """One chapter of the Bible, verse by verse."""

    book: str
    number: int
    kind: str
    verses: list[str] = field(default_factory=list)
    split: str = ""


def fraction_of(source_id: str) -> float:
    """A number in [0, 1) that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:6], "big") / 2**48


def split_of(source_id: str, valid: float, test: float) -> str:
    fraction = fraction_of("split:" + source_id)
    if fraction < test:
        return "test"
    return "valid" if fraction < test + valid else "train"


def split_gloss(gloss: str) -> tuple[str, list[str]]:
    """Takes the quoted example sentences out of a gloss; what stands before the first of them is the definition."""
    definition = gloss.split('"')[0].strip().rstrip(";:,").strip()
    sentences = [s.strip() for s in re.findall(r'"([^"]+)"', gloss)]
    return definition, [s for s in sentences if len(s.split()) >= 3]


def read_entry(line: str, part_of_speech: str) -> Entry | None:
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    word_count = int(fields[3], 16)
    words = [re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in fields[4:4 + 2 * word_count:2]]
    definition, sentences = split_gloss(gloss.strip())
    if not definition:
        return None
    split = split_of("word:" + words[0].lower(), valid=0.02, test=0.04)
    return Entry(f"{part_of_speech}-{fields[0]}", TOPICS[int(fields[1])][1], part_of_speech, words, definition,
                 sentences, split)


def read_wordnet() -> list[Entry]:
    entries = []
    for part_of_speech in PARTS_OF_SPEECH:
        for line in (WORDNET_DIR / f"data.{part_of_speech}").read_text(encoding="utf-8").splitlines():
            if line[:1].isdigit():
                entry = read_entry(line, part_of_speech)
                if entry:
                    entries.append(entry)
    return drop_repeated_definitions(entries)


def drop_repeated_definitions(entries: list[Entry]) -> list[Entry]:
    """Leaves out held-out entries whose definition, letter for letter, is also one of the training part."""
    trained = {e.definition.lower() for e in entries if e.split == "train"}
    return [e for e in entries if e.split == "train" or e.definition.lower() not in trained]


def read_bible() -> list[Chapter]:
    kind_of = {book: kind for kind, books in BOOK_KINDS.items() for book in books.split()}
    text = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True).stdout
    chapters: dict[tuple[str, int], Chapter] = {}
    for line in text.splitlines():
        match = re.match(r"^(\d?[A-Za-z]+)(\d+):(\d+) (.*)$", line)
        if not match:
            continue
        book, number, verse = match[1], int(match[2]), match[4].strip()
        if (book, number) not in chapters:
            split = split_of(f"chapter:{book}:{number}", valid=0.05, test=0.12)
            chapters[book, number] = Chapter(book, number, kind_of[book], split=split)
        chapters[book, number].verses.append(verse)
    return list(chapters.values())


def entries_by_word(entries: list[Entry]) -> dict[str, list[Entry]]:
    by_word = defaultdict(list)
    for entry in entries:
        for word in entry.words:
            by_word[word.lower()].append(entry)
    return by_word
