"""What the offline coding model can do without being given the code.

Each recipe answers with the same text a person could have sent: fenced files and `run:` lines.
"""

import re

_PRINTS = re.compile(
    r"\b(?:script|program)\b.*?\bprints?\b\s+(?:out\s+)?[\"'`“](?P<text>[^\"'`”\n]{1,200})[\"'`”]",
    re.IGNORECASE,
)
_HELLO = re.compile(r"\bhello[ ,-]?\s?world\b", re.IGNORECASE)
_FIRST_TOOL = re.compile(r"\b(?:first\s+)?command[ -]line\s+tool\b", re.IGNORECASE)
_OTHER_LANGUAGE = re.compile(
    r"\b(?:javascript|typescript|node|rust|go(?:lang)?|java|c\+\+|ruby|php|haskell|html)\b",
    re.IGNORECASE,
)


def recipe_for(prompt: str) -> str | None:
    """Return instructions for a request that a recipe covers, or None."""
    if _OTHER_LANGUAGE.search(prompt):
        return None  # the recipes are Python
    if found := _PRINTS.search(prompt):
        return _script("script.py", found["text"])
    if _HELLO.search(prompt):
        return _script("hello.py", "Hello, world!")
    if _FIRST_TOOL.search(prompt):
        return _TALLY
    return None


def _script(name: str, text: str) -> str:
    return f"```python {name}\nprint({text!r})\n```\nrun: python3 {name}\n"


_TALLY = '''
```python tally.py
"""Count lines, words and characters: python3 tally.py FILE..., or text on standard input."""

import argparse
import sys


def tally(text):
    return len(text.splitlines()), len(text.split()), len(text)


def main():
    parser = argparse.ArgumentParser(description="Count lines, words and characters.")
    parser.add_argument("files", nargs="*", help="files to read; none: standard input")
    args = parser.parse_args()
    if not args.files:
        print(*tally(sys.stdin.read()))
    for name in args.files:
        try:
            with open(name, encoding="utf-8") as file:
                print(*tally(file.read()), name)
        except OSError as error:
            print(f"tally: {name}: {error.strerror}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
```

```python test_tally.py
import unittest

from tally import tally


class TallyTest(unittest.TestCase):
    def test_counts(self):
        self.assertEqual(tally("one two\\nthree\\n"), (2, 3, 14))

    def test_empty(self):
        self.assertEqual(tally(""), (0, 0, 0))


if __name__ == "__main__":
    unittest.main()
```

run: python3 -m unittest -v
run: printf 'hello there\\n' | python3 tally.py
'''
