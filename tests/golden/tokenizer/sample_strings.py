"""Strings that try a tokeniser: running text, and everything that is not."""

import glob
import random
import shutil
import subprocess

SPECIAL = ["</s>", "<pad>", "<unk>", "<mask>", "Day"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u2581", " \u2581 "]
CLUSTERS = [
    "e\u0301", "a\u0328\u0301", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u0915\u094d\u0937", "\u0915\u094d\u200d\u0937",
    "\u0e01\u0e33", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f1e9\U0001f1ea\U0001f1eb", "\u00bd\u0301", "\u00bd\u200d", "\ufb01\u0301", "\u2460\ufe0f", "\r\n\u0301",
    "\u0600a", "\u00a9\u200d\u00ae", "\uff21\u0308", "\u212b", "\u1e9b\u0323", "\ufdfa", "\u3300", "\U0001d7d8", "\x00", "\x01a"]
CJK = "日本語の文章です。中文分词测试。한국어 문장입니다"


def running_text():
    """WordNet's definitions and the verses of the King James Bible, as far as their Debian packages are installed."""
    lines = []
    for path in sorted(glob.glob("/usr/share/wordnet/data.*")):
        with open(path, encoding="latin-1") as file:
            lines += [line.split("|", 1)[1].strip() for line in file if "|" in line]
    if shutil.which("bible"):
        verses = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=False).stdout
        lines += [line.split(" ", 1)[1] for line in verses.splitlines() if " " in line]
    return lines or ["the quick brown fox jumps over the lazy dog", "In the beginning God created the heaven and the earth."]


def random_code_point(rng):
    low, high = rng.choice([(0, 0x20), (0x20, 0x7F), (0x7F, 0x250), (0x250, 0x900), (0x300, 0x370), (0x900, 0x1200),
                            (0x1200, 0x2000), (0x2000, 0x2800), (0x3000, 0x3400), (0x4E00, 0xD7FF), (0xE000, 0xFFFF),
                            (0x10000, 0x20000), (0x1F000, 0x1FB00), (0x20000, 0x110000)])
    code = rng.randrange(low, high)
    return " " if 0xD800 <= code < 0xE000 else chr(code)


def random_unicode(rng):
    return "".join(random_code_point(rng) for _ in range(rng.randrange(40)))


def mixture(rng, lines):
    """Pieces of everything, glued together with and without spaces."""
    def part():
        kind = rng.randrange(8)
        if kind == 0:
            line = rng.choice(lines)
            begin = rng.randrange(len(line))
            return line[begin:begin + rng.randrange(1, 30)]
        if kind == 1:
            return f"<extra_id_{rng.randrange(104)}>"
        if kind == 2:
            return rng.choice(SPECIAL)
        if kind == 3:
            return rng.choice(SPACES) * rng.randrange(1, 4)
        if kind == 4:
            return rng.choice(CLUSTERS)
        if kind == 5:
            return CJK[rng.randrange(len(CJK)):][:rng.randrange(1, 6)]
        if kind == 6:
            return random_code_point(rng)
        return rng.choice(["<extra_id_0", "extra_id_1>", "<", "</s", ">", "day", "Days", "don't", "U.S.", "3.14", "\\n"])
    return "".join(part() for _ in range(rng.randrange(1, 12)))


def sample(count, seed):
    """`count` byte strings, the same for the same seed and the same text at hand."""
    rng = random.Random(seed)
    lines = running_text()
    strings = [b"", b" ", b"  ", b"\xff", "\u2581".encode(), b"<extra_id_0>", b" <extra_id_0> ", b"a" * 2000, b" " * 2000]
    while len(strings) < count:
        kind = rng.randrange(10)
        if kind < 4:
            strings.append(rng.choice(lines).encode())
        elif kind < 5:
            strings.append(random_unicode(rng).encode())
        elif kind < 6:
            strings.append(rng.randbytes(rng.randrange(40)))
        elif kind < 7:
            text = bytearray(rng.choice(lines).encode())
            for _ in range(rng.randrange(1, 6)):
                text[rng.randrange(len(text))] = rng.choice(b"\x80\xc2\xe0\xed\xf0\xf4\xff\xbf \t")
            strings.append(bytes(text))
        else:
            strings.append(mixture(rng, lines).encode())
    return strings[:count]
