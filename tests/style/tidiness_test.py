"""The tree keeps its own rules: format, a README in every folder, no left-over markers, no machine's paths."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CODE = (".h", ".cc", ".cu", ".py", ".sh", ".cmake")
NO_README = ("tests/unit", "tests/golden/cases", "tests/golden/heads", "models/demo/heads", "tests/fuzz/corpus", ".ci")


def tracked():
    if not shutil.which("git"):
        raise unittest.SkipTest("git is not installed")
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode != 0:
        raise unittest.SkipTest("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (SOURCE / name).exists()]


class Tidiness(unittest.TestCase):
    def test_code_is_formatted(self):
        if not shutil.which("clang-format"):
            self.skipTest("clang-format is not installed")
        files = [name for name in tracked() if name.endswith((".h", ".cc"))]
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=SOURCE, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, "\n".join(done.stderr.splitlines()[:10]))

    def test_every_folder_has_a_readme(self):
        folders = {str(pathlib.PurePath(name).parent) for name in tracked()}
        missing = [folder for folder in folders
                   if not folder.startswith(NO_README) and not (SOURCE / folder / "README.md").exists()]
        self.assertEqual(missing, [])

    def test_nothing_is_left_over(self):
        markers = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|DISA" + "BLED_")
        found = [f"{name}:{number}" for name in tracked() if name.endswith(CODE) and "corpus" not in name
                 for number, line in enumerate((SOURCE / name).read_text().splitlines(), 1) if markers.search(line)]
        self.assertEqual(found, [])

    def test_no_file_of_code_is_long(self):
        # A suite of claims may be longer than code; generated tables are not read.
        long = [name for name in tracked() if name.endswith((".h", ".cc", ".py")) and "unicode_tables" not in name
                and len((SOURCE / name).read_text().splitlines()) > (550 if name.startswith("tests/") else 400)]
        self.assertEqual(long, [])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
