#!/usr/bin/env python3
"""Writes unicode_tables.cc from the Unicode Character Database.

usage: make_unicode_tables.py UCD_DIRECTORY > unicode_tables.cc

UCD_DIRECTORY is https://www.unicode.org/Public/16.0.0/ucd/, of which five files are read. 16.0.0 is the version that the
Rust crates unicode-segmentation 1.12 and regex-syntax 0.8.8 follow, and so the tokenizers package 0.22.
"""

import pathlib
import re
import sys

VERSION = "16.0.0"
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)  # Their class follows from the code point.


def read(path):
    """Yields (first, last, property) of each line; a property of two fields keeps its semicolon."""
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        codes, prop = (part.strip() for part in line.split(";", 1))
        first, _, last = codes.partition("..")
        yield int(first, 16), int(last or first, 16), re.sub(r"\s*;\s*", ";", prop)


def runs(classes):
    """Merges a {code point: class} map into sorted [first, last, class] rows."""
    rows = []
    for code in sorted(classes):
        if rows and rows[-1][1] == code - 1 and rows[-1][2] == classes[code]:
            rows[-1][1] = code
        else:
            rows.append([code, code, classes[code]])
    return rows


def grapheme_classes(ucd):
    classes = {}
    for first, last, prop in read(ucd / "emoji/emoji-data.txt"):
        if prop == "Extended_Pictographic":
            classes.update((code, "ExtendedPictographic") for code in range(first, last + 1))
    for first, last, prop in read(ucd / "DerivedCoreProperties.txt"):
        if prop == "InCB;Consonant":
            classes.update((code, "Consonant") for code in range(first, last + 1))
    for first, last, prop in read(ucd / "auxiliary/GraphemeBreakProperty.txt"):
        name = {"CR": "Cr", "LF": "Lf", "ZWJ": "Zwj"}.get(prop, prop.replace("_", ""))
        classes.update((code, name) for code in range(first, last + 1) if code not in HANGUL_SYLLABLES)
    for first, last, prop in read(ucd / "DerivedCoreProperties.txt"):
        if prop == "InCB;Linker":
            classes.update((code, "Linker") for code in range(first, last + 1))
    return classes


def word_characters(ucd):
    wanted = {
        "DerivedCoreProperties.txt": {"Alphabetic"},
        "extracted/DerivedGeneralCategory.txt": {"Mn", "Mc", "Me", "Nd", "Pc"},
        "PropList.txt": {"Join_Control"},
    }
    return {
        code: None
        for name, props in wanted.items()
        for first, last, prop in read(ucd / name)
        if prop in props
        for code in range(first, last + 1)
    }


def table(rows, per_line):
    return ",\n".join("    " + ", ".join(rows[i : i + per_line]) for i in range(0, len(rows), per_line))


def main():
    ucd = pathlib.Path(sys.argv[1])
    graphemes = [f"{{0x{a:X}, 0x{b:X}, k{c}}}" for a, b, c in runs(grapheme_classes(ucd))]
    words = [f"{{0x{a:X}, 0x{b:X}}}" for a, b, _ in runs(word_characters(ucd))]
    print(f"// Unicode {VERSION}, written by make_unicode_tables.py. Do not edit.")
    print('#include "common/tokenizer/unicode_tables.h"\n')
    print("namespace sida::tokenizer {\nnamespace {\n\nusing enum GraphemeClass;\n\n// clang-format off")
    print("constexpr GraphemeRange kGraphemeRanges[] = {\n" + table(graphemes, 4) + "};\n")
    print("constexpr CodePointRange kWordRanges[] = {\n" + table(words, 6) + "};")
    print("// clang-format on\n\n}  // namespace\n")
    print("std::span<const GraphemeRange> grapheme_ranges() { return kGraphemeRanges; }\n")
    print("std::span<const CodePointRange> word_ranges() { return kWordRanges; }\n")
    print("}  // namespace sida::tokenizer")


if __name__ == "__main__":
    main()
