"""Reads deploy/Dockerfile: its stages and their instructions."""

import re

import tools

PATH = tools.SOURCE / "deploy" / "Dockerfile"


def stages(text):
    """Lists of (instruction, rest of the line), one for each FROM, in order."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    found = []
    for line in filter(None, joined.splitlines()):
        word, rest = line.split(" ", 1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def values(stage, word):
    return [rest for instruction, rest in stage if instruction == word]
