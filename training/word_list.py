"""Makes pez_core/text/dictionary.txt, the English words that searches use by default.

    python -m training.word_list /usr/share/dict

It reads word lists of SCOWL, as Debian's packages wamerican, wbritish, wamerican-large and wbritish-large install them,
and needs `pip install wordfreq`. The texts that their licenses ask for are in pez_core/text/dictionary-licenses.txt.

A token such as "ched" or "ter" is part of many words and none itself, but it is in every list of frequent strings, and
lists of all words have short ones that nobody knows. So a word must be in a list for spell checkers and be frequent, and
short ones must be in a shorter list.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "pez_core" / "text" / "dictionary.txt"
STANDARD = ("american-english", "british-english")
LARGE = ("american-english-large", "british-english-large")
LONG = 5  # letters of words that may come from the large lists
FREQUENT = 2.5  # of Zipf's scale: three times in ten million words
TINY = "a i am an as at be by do go he hi if in is it me my no of oh on or ox so to up us we"


def words_in(file: Path) -> Iterator[str]:
    """The words of a list, in lower case, without abbreviations and forms with an apostrophe."""
    for word in file.read_text("utf-8").split():
        plain = word.isascii() and word.isalpha()
        if plain and (word.islower() or (len(word) > 3 and word[1:].islower())):
            yield word.lower()


def main() -> None:
    """Writes the list."""
    from wordfreq import zipf_frequency

    folder = Path(sys.argv[1])
    words = {word for name in STANDARD for word in words_in(folder / name) if len(word) > 2}
    words |= {word for name in LARGE for word in words_in(folder / name) if len(word) >= LONG}
    frequent = sorted({word for word in words if zipf_frequency(word, "en") >= FREQUENT} | set(TINY.split()))
    OUTPUT.write_text("".join(f"{word}\n" for word in frequent), "utf-8")
    print(f"{len(frequent)} words in {OUTPUT.name}")


if __name__ == "__main__":
    main()
