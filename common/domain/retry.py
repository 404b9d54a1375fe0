"""How long to wait before a try: exponential, bounded, spread. Pure."""

from __future__ import annotations

DOUBLINGS_MAX = 64  # beyond it 2**n is larger than any bound and only costs time


def retry_delay(failures: int, backoff: float, backoff_max: float, random: float) -> float:
    """Seconds before the try after ``failures`` failed ones; ``random`` in [0, 1).

    Between half and all of ``backoff × 2^(failures-1)``, at most ``backoff_max``: half is kept so that a
    retry is never at once, half is random so that a thousand tasks that failed together come back apart
    (M. Brooker, "Exponential Backoff And Jitter", 2015, the variant called equal jitter).
    """
    doublings = min(max(failures - 1, 0), DOUBLINGS_MAX)
    return float(min(backoff * 2.0**doublings, backoff_max) * (0.5 + random / 2))
