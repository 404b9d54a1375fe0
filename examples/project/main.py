"""A program that uses the tasks. Start `tq dev jobs.py` in one terminal, this in another."""

from __future__ import annotations

from jobs import count_words


def main() -> None:
    """One task, then many; each is stored on disk when its submit returns."""
    handle = count_words.submit("to be or not to be")
    print(f"{handle.id}: {handle.result(timeout=30)} words")

    texts = [f"line {number} of a long book" for number in range(1_000)]
    print(f"all of the book: {sum(count_words.map(texts).results()):,} words")


if __name__ == "__main__":
    main()
