"""Adds up the tests of Meson build folders: one closing line, `N passed, M failed[, K skipped]`.

usage: tests/count_results.py [--failed N] FOLDER...

A program's own summary counts: CppUTest's, or the last line `N passed, M failed[, K skipped]`.
One without a summary is one test. A program that crashed, ran out of time, reports a sanitizer's
finding or ran nothing is at least one failure, and so is a folder without results. `--failed` adds
failures from outside, such as a build that broke. Exit 1 when anything failed.
"""

import json
import pathlib
import re
import sys

CPPUTEST = re.compile(r"^(?:OK|Errors) \((.*\d+ ms)\)$", re.MULTILINE)
CPPUTEST_PART = re.compile(r"(\d+) (failures?|ran|ignored)\b")
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
SANITIZER = re.compile(r"runtime error: |ERROR: (?:Address|Leak|Thread|Memory)Sanitizer")
SHOWN_LINES = 40


def own_counts(output):
    """(passed, failed, skipped) as the program itself says, or None."""
    summaries = CPPUTEST.findall(output)
    if summaries:
        passed = failed = skipped = 0
        for summary in summaries:
            found = CPPUTEST_PART.findall(summary)
            part = {name.rstrip("s"): int(number) for number, name in found}
            failures = part.get("failure", 0)
            # A test may fail more than once, and then there is no telling how many failed.
            passed += max(0, part.get("ran", 0) - failures)
            failed += failures
            skipped += part.get("ignored", 0)
        return passed, failed, skipped
    plain = PLAIN.findall(output)
    if plain:
        return tuple(int(number or 0) for number in plain[-1])
    return None


def count(test):
    """(passed, failed, skipped) of one line of testlog.json."""
    output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    result = test["result"]
    counts = own_counts(output)
    if result in ("SKIP", "IGNORED") and not (counts and counts[1]):
        return (0, 0, 1) if counts is None else (counts[0], 0, max(1, counts[2]))
    good = result in ("OK", "EXPECTEDFAIL")
    if counts is None:
        counts = (1, 0, 0) if good else (0, 1, 0)
    passed, failed, skipped = counts
    ran_nothing = passed + failed + skipped == 0
    if failed == 0 and (not good or ran_nothing or SANITIZER.search(output)):
        failed = 1
    return passed, failed, skipped


def tell_failure(folder, test):
    output = (test.get("stdout") or "") + (test.get("stderr") or "")
    print(f"\n{folder}: {test['name']}: {test['result']} (exit {test.get('returncode')})")
    for line in output.splitlines()[-SHOWN_LINES:]:
        print(f"    {line}")


def count_folder(folder):
    log = folder / "meson-logs" / "testlog.json"
    tests = []
    if log.is_file():
        with log.open(encoding="utf-8", errors="replace") as lines:
            tests = [json.loads(line) for line in lines if line.strip()]
    if not tests:
        print(f"\n{folder}: no test ran")
        return 0, 1, 0
    total = [0, 0, 0]
    for test in tests:
        counts = count(test)
        total = [old + new for old, new in zip(total, counts)]
        if counts[1]:
            tell_failure(folder, test)
        elif counts[2]:
            print(f"{folder}: {test['name']}: {counts[2]} skipped")
    return tuple(total)


def closing_line(passed, failed, skipped):
    line = f"{passed} passed, {failed} failed"
    return f"{line}, {skipped} skipped" if skipped else line


def main(arguments):
    failed = 0
    if arguments[:1] == ["--failed"]:
        failed = int(arguments[1])
        arguments = arguments[2:]
    total = [0, failed, 0]
    for name in arguments:
        total = [old + new for old, new in zip(total, count_folder(pathlib.Path(name)))]
    print(closing_line(*total), flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
