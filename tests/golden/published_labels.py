#!/usr/bin/env python3
"""Every published flow is found in Curlew's dataset of its capture, with the published label.

usage: published_labels.py CURLEW

One label per capture and 5-tuple, either direction. Independent of `curlew compare` on purpose.
"""

import csv
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from captures import records_in, run_all  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402


def flow_of(record):
    ends = sorted([(record["sa"], record["sp"] or 0), (record["da"], record["dp"] or 0)])
    return (ends[0], ends[1], record["pr"])


def stem(path):
    name = path.name
    for ending in (".gz", ".zst"):
        name = name.removesuffix(ending)
    for ending in (".pcap", ".pcapng", ".cap"):
        name = name.removesuffix(ending)
    return name


def labels_of(dataset):
    """The label of each flow's first record, and the flows whose records do not agree."""
    labels = {}
    disagreeing = set()
    for record in records_in(dataset):
        flow = flow_of(record)
        if labels.setdefault(flow, record["flow_type"]) != record["flow_type"]:
            disagreeing.add(flow)
    return labels, disagreeing


def captures_with_golden(datasets):
    with open(datasets / "MANIFEST.tsv", encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            capture = datasets / row["file"]
            group, folder = pathlib.Path(row["file"]).parts[1:3]
            name = stem(capture).removesuffix(".full")
            golden = datasets / "golden" / group / folder / f"{name}.json"
            if capture.exists() and golden.exists():
                yield capture, group, golden


def check_capture(results, dataset, capture, group, golden):
    ours, disagreeing = labels_of(dataset)
    flows = found = equal = 0
    for record in records_in(golden):
        flow = flow_of(record)
        flows += 1
        found += flow in ours
        equal += ours.get(flow) == record["flow_type"]
        if ours.get(flow) != record["flow_type"]:
            print(f"{capture.name}: {flow}: {record['flow_type']!r}, ours {ours.get(flow)!r}")
        elif flow in disagreeing:
            print(f"{capture.name}: {flow}: later records say otherwise")
    results.check(f"{group}/{capture.name}: labels", equal == flows, f"{equal} of {flows}")
    return flows, found, equal


def main():
    curlew = sys.argv[1]
    results = Results()
    datasets = shared_or_skip(results, "published labels", "datasets")
    if datasets is None:
        results.exit()
    totals = {}
    wanted = list(captures_with_golden(datasets))
    with tempfile.TemporaryDirectory() as archive:
        made, refused = {}, {}
        for group in sorted({group for _, group, _ in wanted}):
            ours = run_all(curlew, [capture for capture, of, _ in wanted if of == group],
                           pathlib.Path(archive), "--group", group)
            made.update(ours[0])
            refused.update(ours[1])
        for capture, group, golden in wanted:
            counts = 0, 0, 0
            if results.check(f"curlew run {capture.name}", capture in made,
                             refused.get(capture, "")):
                counts = check_capture(results, made[capture], capture, group, golden)
            # A rebuilt capture comes twice, cut and full; its flows count once, as the worse.
            totals[golden] = min(counts, totals.get(golden, counts), key=lambda three: three[2])
    flows, found, equal = (sum(part) for part in zip(*totals.values()))
    print(f"{flows} published flows, {found} found, {equal} labels equal")
    results.exit()


if __name__ == "__main__":
    main()
