#!/usr/bin/env python3
"""Prints the tests that a ctest run skipped, each with the reason that the test gave."""
import re
import sys
import xml.etree.ElementTree as ElementTree


def reason(case):
    """GoogleTest prints "FILE:LINE: Skipped", then the reason; Python's unittest "skipped 'REASON'"."""
    output = case.findtext("system-out") or ""
    found = re.search(r": Skipped\n(.*?)\n\s*\n?", output, re.DOTALL) or re.search(r"skipped ['\"](.*?)['\"]\n", output)
    return " ".join(found.group(1).split()) if found else "no reason given"


def main():
    cases = ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
    skipped = [case for case in cases if case.get("status") == "notrun" or case.find("skipped") is not None]
    print(f"Skipped tests: {len(skipped)}")
    for case in skipped:
        print(f"  {case.get('name')}: {reason(case)}")


main()
