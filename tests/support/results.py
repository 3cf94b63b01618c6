"""Counting and telling for the tests written in Python; and where their material stands."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


class Results:
    """Claims that hold, fail or are skipped. Ends with the line that the test command adds up."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def check(self, claim, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {claim}{': ' if detail else ''}{detail}", flush=True)
        return holds

    def skip(self, claim, reason):
        self.skipped += 1
        print(f"skipped: {claim}: {reason}", flush=True)

    def exit(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed or not (self.passed or self.skipped) else 0)


def shared_or_skip(results, claim, *parts):
    """The path below the shared material, or None with the claim skipped aloud."""
    path = SHARED.joinpath(*parts)
    if path.exists():
        return path
    results.skip(claim, f"{path.relative_to(ROOT.parent)} is not there")
    return None
