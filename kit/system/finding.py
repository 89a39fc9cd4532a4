"""What one check found: verdict, text and remedy (tests: machine/test_checks.py)."""

from dataclasses import dataclass

FINE, NOTE, WRONG = "fine", "note", "WRONG"


@dataclass(frozen=True)
class Finding:
    """The result of one check; its text prints as one line."""

    verdict: str  # FINE; NOTE: it works, with a limitation; WRONG: something will not work
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:5s}  {self.text}" + (f"; {self.remedy}" if self.remedy else "")
