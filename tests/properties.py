"""What the property tests try: the same examples in each run of the suite, twenty times as many by chance in ``make fuzz``.

A run of the suite that fails thus shows a change of the code and never the day; what only chance finds is
the search's to find, which keeps it in ``.hypothesis`` and prints how to repeat it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

SUITE, SEARCH = "suite", "search"
EXAMPLES = 100  # of a test that does not say otherwise, when it is given all of them
PART_IN_SUITE = 0.5
TIMES_IN_SEARCH = 10


def register_profiles() -> None:
    """Loads the suite's; ``pytest --hypothesis-profile search`` loads the other after it."""
    # A busy machine makes examples slow; what must be fast is measured by tests of its own.
    common: dict[str, Any] = {
        "deadline": None,
        "suppress_health_check": [HealthCheck.too_slow],
        "print_blob": True,
    }
    settings.register_profile(SUITE, max_examples=int(EXAMPLES * PART_IN_SUITE), derandomize=True, **common)
    settings.register_profile(SEARCH, max_examples=EXAMPLES * TIMES_IN_SEARCH, derandomize=False, **common)
    settings.load_profile(SUITE)
    _ignore_constants_of_loaded_modules()


def examples(count: int, **others: Any) -> settings:
    """For a test with so many examples, where others have ``EXAMPLES``: cheap ones can have more, costly ones fewer."""
    return settings(max_examples=count * settings.default.max_examples // EXAMPLES, **others)


def _ignore_constants_of_loaded_modules() -> None:
    """Hypothesis also tries numbers and texts of the modules that the process happens to have loaded.

    Which those are depends on the tests that ran before in it, and so would the examples.
    """
    from hypothesis.internal.conjecture import providers

    if not hasattr(providers, "is_local_module_file"):
        raise RuntimeError("this Hypothesis finds its constants elsewhere: mend tests/properties.py")
    providers.is_local_module_file = lambda path: False
