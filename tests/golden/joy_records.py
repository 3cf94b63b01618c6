#!/usr/bin/env python3
"""Preset joy-3.0.3 gives the records of Cisco Joy 3.0.3 again, and the published ones.

usage: joy_records.py CURLEW

Every recorded capture that Joy's own records are there for: with `--records all` the same records
in the same order, with `--records first` the published flows with their labels, as parsed JSON.
Prints, per field, in how many records it is equal. Of rebuilt captures the lengths of first
packets, which say how much of them Joy was told to keep.
"""

import collections
import csv
import gzip
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from captures import run_all  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402


def parsed(lines):
    return [json.loads(line) for line in lines if line.strip()]


def joy_records(path):
    """Without the first line, which tells Joy's settings."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        return parsed(list(lines)[1:])


def records_of(path):
    return parsed(path.read_text(encoding="utf-8").splitlines())


def run(results, curlew, wanted, records, archive):
    """{capture: our records}"""
    ours = {}
    for group in sorted({group for _, group, _ in wanted}):
        captures = [capture for capture, of, _ in wanted if of == group]
        made, refused = run_all(curlew, captures, archive / records, "--group", group,
                                "--preset", "joy-3.0.3", "--records", records)
        for capture in captures:
            there = results.check(f"{group}/{capture.name}: run --records {records}",
                                  capture in made, refused.get(capture, ""))
            ours[capture] = records_of(made[capture]) if there else []
    return ours


class Fields:
    """How often each field is equal, over all records."""

    def __init__(self):
        self.equal = collections.Counter()
        self.differ = collections.Counter()

    def count(self, wanted, have):
        """True when all are equal. Absent on both sides is not counted."""
        whole = True
        for field in wanted.keys() | have.keys():
            same = field in wanted and field in have and wanted[field] == have[field]
            (self.equal if same else self.differ)[field] += 1
            whole = whole and same
        return whole

    def print(self, title):
        print(title)
        print(f"  {'field':<16}{'equal':>8}{'differ':>8}")
        for field in sorted(self.equal.keys() | self.differ.keys()):
            print(f"  {field:<16}{self.equal[field]:>8}{self.differ[field]:>8}")


def first_difference(wanted, have):
    for field in sorted(wanted.keys() | have.keys()):
        if wanted.get(field) != have.get(field):
            return (f"{field}: {json.dumps(wanted.get(field))[:300]} and ours "
                    f"{json.dumps(have.get(field))[:300]}")
    return "order of fields"


def compare(results, claim, wanted, ours, fields, ordered_fields):
    results.check(f"{claim}: records", len(ours) == len(wanted),
                  f"{len(ours)}, wanted {len(wanted)}")
    equal = 0
    for number, (want, have) in enumerate(zip(wanted, ours), start=1):
        same = fields.count(want, have) and (not ordered_fields or list(want) == list(have))
        equal += same
        results.check(f"{claim}: record {number}", same, first_difference(want, have))
    return equal


def captures_with_records(datasets):
    """Yields (capture, group, where its records are below each folder of records)."""
    with open(datasets / "MANIFEST.tsv", encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            capture = datasets / row["file"]
            group, folder = pathlib.Path(row["file"]).parts[1:3]
            place = pathlib.Path(group, folder, f"{capture.stem}.json")
            if row["kind"] == "real" and capture.exists() and \
                    (datasets / "joy-records" / f"{place}.gz").exists():
                yield capture, group, place


def check_rebuilt(results, curlew, datasets, archive):
    """Of each golden flow of a rebuilt capture: its first packets are kept as far as they were."""
    wanted = []
    for capture in sorted((datasets / "replayed").rglob("*.pcap.gz")):
        group, *folders, name = capture.relative_to(datasets / "replayed").parts
        golden = datasets.joinpath("golden", group, *folders,
                                   name.removesuffix(".pcap.gz") + ".json")
        if golden.exists():
            wanted.append((capture, group, golden))
    ours = run(results, curlew, wanted, "first", archive / "rebuilt")
    for capture, group, golden in wanted:
        have = {flow_of(record): record for record in ours[capture]}
        differ = [record for record in records_of(golden)
                  if any(have.get(flow_of(record), {}).get(field) != record.get(field)
                         for field in ("idp_len_out", "idp_len_in"))]
        results.check(f"first packets of {group}/{capture.name}", not differ,
                      f"{len(differ)} flows differ, {flow_of(differ[0])}" if differ else "")


def flow_of(record):
    return tuple(record[field] for field in ("sa", "sp", "da", "dp", "pr"))


def main():
    curlew = sys.argv[1]
    results = Results()
    datasets = shared_or_skip(results, "records of Joy", "datasets")
    if datasets is None:
        results.exit()
    all_fields, first_fields = Fields(), Fields()
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder)
        recorded = list(captures_with_records(datasets))
        ours = run(results, curlew, recorded, "all", archive)
        for capture, group, place in recorded:
            wanted = joy_records(datasets / "joy-records" / f"{place}.gz")
            counts["all"] += len(wanted)
            counts["all equal"] += compare(results, f"{group}/{capture.name}", wanted,
                                           ours[capture], all_fields, True)
        published = [one for one in recorded if (datasets / "golden" / one[2]).exists()]
        ours = run(results, curlew, published, "first", archive)
        for capture, group, place in published:
            wanted = records_of(datasets / "golden" / place)
            counts["first"] += len(wanted)
            # sleuth has shuffled the published fields.
            counts["first equal"] += compare(results, f"published {group}/{capture.name}", wanted,
                                             ours[capture], first_fields, False)
        check_rebuilt(results, curlew, datasets, archive)
    all_fields.print("--records all against Joy's records")
    first_fields.print("--records first against the published flows")
    print(f"{counts['all equal']} of {counts['all']} records of Joy equal, "
          f"{counts['first equal']} of {counts['first']} published flows")
    results.exit()


if __name__ == "__main__":
    main()
