"""Runs one test of this folder and fails when any process below it wrote a sanitizer's report.

A test kills processes on purpose, and `sida serve` restarts what dies: without this a report would pass for such a death.
"""

import os
import pathlib
import subprocess
import sys
import tempfile


def environment(reports):
    """Every sanitizer's options, with a file per process for its reports."""
    found = dict(os.environ)
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        found[name] = " ".join(filter(None, (found.get(name), f"log_path={reports}/report")))
    return found


def main():
    with tempfile.TemporaryDirectory(prefix="sida-reports-") as folder:
        reports = pathlib.Path(folder)
        status = subprocess.run([sys.executable, *sys.argv[1:]], env=environment(reports)).returncode
        written = [text for path in sorted(reports.iterdir()) if (text := path.read_text(errors="replace")).strip()]
    for text in written[:5]:
        print(text[:20_000], file=sys.stderr)
    if written:
        print(f"Processes with reports of a sanitizer: {len(written)}", file=sys.stderr)
    return 1 if written else status


sys.exit(main())
