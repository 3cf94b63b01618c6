#!/usr/bin/env python3
"""Every record of preset curlew against tshark's packets, by a second computation, and its schema.

usage: record_reference.py CURLEW [--all] [CAPTURE...]

Packets are what tshark makes of a capture (tests/golden/reference). For each record: order of
fields, times, counts, octets, the packet list and its sums, the statistics of octets and of all
packets; whole numbers exactly, entropy to 1e-6, other numbers to 1e-9 of themselves; and the record
is valid by collector/record.schema.json. Without --all or CURLEW_ALL_CAPTURES=1 a sample
of the shared captures is looked at.
"""

import collections
import concurrent.futures
import itertools
import json
import math
import pathlib
import shutil
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "reference"))
sys.path.insert(0, str(HERE.parent / "support"))
import captures  # noqa: E402
import expected  # noqa: E402
import record_schema  # noqa: E402
from flows import Assignment  # noqa: E402
from packets import NotLaidOut, packets_of  # noqa: E402
from results import Results  # noqa: E402

# What tshark cannot judge, each looked at by hand; a capture that has no difference any more fails.
JUMBO = "tshark ends at a UDP length of 0, of a packet above 65,535 octets; we follow the tunnel"
EXPLAINED = {
    "tcpdump-malformed/bigtcp-ipv4-geneve-ipv6.pcap": JUMBO,
    "tcpdump-malformed/bigtcp-ipv4-vxlan-ipv6.pcap": JUMBO,
    "tcpdump-malformed/bigtcp-ipv6-geneve-ipv4.pcap": JUMBO,
    "tcpdump-malformed/bigtcp-ipv6-vxlan-ipv6.pcap": JUMBO,
    "tcpdump-malformed/timestamp_invalid_nano.pcap":
        "nanoseconds of a second and more: tshark shows them as negative times",
    "suricata-verify/ipv6-evasion/ipv6-malformed-fragments-12/frag-12.pcap":
        "a packet with 171 fragment headers is malformed to us, and no flow's",
    "zeek/modbus/fuzz-72.pcap":
        "a sequence number exactly 2^31 off, for which RFC 1982 leaves the order undefined",
}
FIELDS = list(record_schema.load()["properties"])
DATASETS_SAMPLE, PUBLIC_SAMPLE = 6, 48  # one in so many
JOINED = 9  # captures that tshark reads at a time
LONGEST_PROBLEM = 300
PROBLEMS_SHOWN = 8


def near(want, have, relative=1e-9, absolute=0.0):
    if isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if isinstance(want, float) and isinstance(have, (int, float)):
        # A value that is a sum of terms which cancel is as exact as the terms are.
        return math.isclose(want, have, rel_tol=relative, abs_tol=max(absolute, 1e-12))
    return type(want) is type(have) and want == have


def difference(path, want, have):
    """Where `have` departs from `want`: a sentence, or empty."""
    if want is expected.ABSENT or have is expected.ABSENT:
        return "" if want is have else f"{path}: {shown(have)}, should be {shown(want)}"
    if isinstance(want, dict) and isinstance(have, dict):
        for name in want.keys() | have.keys():
            found = difference(f"{path}.{name}", want.get(name, expected.ABSENT),
                               have.get(name, expected.ABSENT))
            if found:
                return found
        return ""
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        return next(filter(None, (difference(f"{path}[{i}]", one, other)
                                  for i, (one, other) in enumerate(zip(want, have)))), "")
    absolute = 1e-6 if path == "entropy" else 0.0
    return "" if near(want, have, absolute=absolute) else \
        f"{path}: {shown(have)}, should be {shown(want)}"


def shown(value):
    return "absent" if value is expected.ABSENT else json.dumps(value)[:120]


def own_problems(record):
    """What a record shows to be wrong by itself: the order of its fields and times, its sums."""
    if list(record) != [name for name in FIELDS if name in record]:
        yield "fields are not in the schema's order"
    if record["time_start_ns"] > record["time_end_ns"]:
        yield "time_start_ns is behind time_end_ns"
    for name in ("time_start", "time_end"):
        seconds = record[f"{name}_ns"] // 1000 / 1_000_000
        if abs(record[name] - seconds) > 5e-7:
            yield f"{name}: {record[name]} is not {seconds}"
    listed = record.get("packets", [])
    if any(entry["t"] < 0 or entry["ipt"] < 0 for entry in listed):
        yield "packets: a negative gap"
    end_us = record["time_start_ns"] // 1000 + sum(entry["t"] for entry in listed)
    if listed and end_us > record["time_end_ns"] // 1000:
        yield "packets: the gaps add up to more than the record lasts"


def problems_of(record, placed, seen):
    yield from own_problems(record)
    wanted = {**expected.counts(placed), **expected.times(placed),
              **expected.octet_statistics(placed),
              **expected.statistics(placed, record["record"], seen)}
    listed = expected.packet_list(placed, wanted["time_start_ns"])
    for name, want in {**wanted, "packets": listed}.items():
        found = difference(name, want, record.get(name, expected.ABSENT))
        if found:
            yield found


def check_capture(validator, capture, dataset, packets):
    """(name, records, problems, packets at an outer layer) of one capture; None: left out."""
    name = captures.short_name(capture)
    records = captures.records_in(dataset)
    problems = []
    try:
        assignment = Assignment(packets, records)
    except NotLaidOut as why:
        return name, None, [f"tshark: {why}"], 0
    told = 0
    seen = collections.defaultdict(lambda: collections.defaultdict(expected.SeenSequence))
    for record, placed in assignment:
        told += 1
        problems += [f"{record['flow_id']}/{record['record']}: {problem}"
                     for problem in problems_of(record, placed, seen[record["flow_id"]])]
    for record in records:
        problems += [f"{record['flow_id']}/{record['record']}: schema: {problem}"
                     for problem in record_schema.problems(validator, record)]
    return name, len(records), assignment.problems + problems, assignment.outer


def check_captures(datasets):
    """What check_capture() says of each, in a process of a pool."""
    told = []
    left = dict(datasets)
    try:
        validator = record_schema.validator("full")
        for capture, packets in packets_of(list(datasets)):
            told.append(check_capture(validator, capture, datasets[capture], packets))
            del left[capture]
    except Exception:  # told as a problem of every capture that was not looked at, or the last one
        last = " ".join(traceback.format_exc().split()[-24:])
        told += [(captures.short_name(capture), 0, [last], 0)
                 for capture in left or list(datasets)[-1:]]
    return told


def parts_of(datasets, whole):
    """Several captures at a time in a sample; of all there are some whose stamps or frames no
    joined capture can have."""
    names, at_a_time = list(datasets), 1 if whole else JOINED
    return [{name: datasets[name] for name in names[at:at + at_a_time]}
            for at in range(0, len(names), at_a_time)]


def wanted_captures(arguments):
    named = [pathlib.Path(one).resolve() for one in arguments if not one.startswith("--")]
    if named:
        return named
    whole = captures.all_wanted(arguments)
    datasets = captures.of_datasets(1 if whole else DATASETS_SAMPLE)
    return datasets + captures.of_public(1 if whole else PUBLIC_SAMPLE, wireless=True)


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    if shutil.which("tshark") is None:
        results.skip("records against the reference", "tshark is not installed")
        results.exit()
    chosen = wanted_captures(sys.argv[2:])
    if not chosen:
        results.skip("records against the reference", "the shared captures are not there")
        results.exit()
    total = outer = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ProcessPoolExecutor() as pool:
        datasets, refused = captures.run_all(curlew, chosen, pathlib.Path(folder))
        for capture, sentence in refused.items():
            print(f"{captures.short_name(capture)}: left out: {sentence}")
        left_out = len(refused)
        parts = parts_of(datasets, captures.all_wanted(sys.argv[2:]))
        told = itertools.chain.from_iterable(pool.map(check_captures, parts))
        for name, records, problems, at_outer in told:
            if records is None:
                left_out += 1
                print(f"{name}: left out: {problems[0][-200:]}")
                continue
            total += records
            outer += at_outer
            for problem in problems[:PROBLEMS_SHOWN]:
                print(f"{name}: {problem[:LONGEST_PROBLEM]}")
            why = EXPLAINED.get(name.removeprefix("captures-public/"))
            if why is None:
                results.check(name, not problems, f"{len(problems)} problems")
            else:
                print(f"{name}: {why}")
                results.check(name, bool(problems), "explained, but there is no difference")
    results.check("a record was looked at", total > 0)
    print(f"{len(chosen)} captures, {left_out} left out; {total} records recomputed; "
          f"{outer} packets metered at an outer layer")
    results.exit()


if __name__ == "__main__":
    main()
