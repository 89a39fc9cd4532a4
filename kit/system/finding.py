"""One thing that a check looked at: verdict and way out (tests: machine/test_checks.py)."""

from dataclasses import dataclass

FINE, NOTE, WRONG = "fine", "note", "WRONG"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: str  # FINE; NOTE: it works, but; WRONG: something will not work
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:5s}  {self.text}" + (f"; {self.remedy}" if self.remedy else "")
