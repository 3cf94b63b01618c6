#!/usr/bin/env python3
"""Packets and octets per conversation equal tshark's, summed over a conversation's records.

usage: tshark_conversations.py CURLEW

tshark reads the innermost layer, without reassembling fragments. Octets are IP total lengths.
"""

import collections
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import tshark  # noqa: E402
from captures import records_in, run_all  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

FIELDS = ["ip.src", "ip.dst", "ip.len", "ip.proto", "ipv6.src", "ipv6.dst", "ipv6.plen",
          "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "icmpv6.type",
          "frame.protocols"]
IPV6_HEADER_OCTETS = 40


def rows_by_capture(captures):
    """Twice {capture: [row, ...]}: the innermost layers of all frames, and the outermost ones of
    those with ICMP, which are an error's own."""
    innermost = tshark.rows_of(captures, FIELDS, "-E", "occurrence=l")
    outermost = tshark.rows_of(captures, FIELDS, "-E", "occurrence=f", "-Y", "icmp && ip")
    return [{capture: [dict(zip(FIELDS, values)) for _, values in rows]
             for capture, rows in told.items()} for told in (innermost, outermost)]


def conversation_of(row):
    """What tshark says of one packet: (low end, high end, protocol), direction, octets."""
    if row["ip.src"]:
        source, destination = row["ip.src"], row["ip.dst"]
        octets = int(row["ip.len"])
        protocol = int(row["ip.proto"])
    elif row["ipv6.src"]:
        source, destination = row["ipv6.src"], row["ipv6.dst"]
        octets = int(row["ipv6.plen"]) + IPV6_HEADER_OCTETS
        protocol = 58 if row["icmpv6.type"] else 6 if row["tcp.srcport"] else 17
    else:
        return None
    ports = {6: "tcp", 17: "udp"}.get(protocol)
    # An ICMP error quotes a header; its ports are not the packet's.
    sp = int(row[f"{ports}.srcport"] or 0) if ports else 0
    dp = int(row[f"{ports}.dstport"] or 0) if ports else 0
    ends = sorted([(source, sp), (destination, dp)])
    return (ends[0], ends[1], protocol), (source, sp) == ends[0], octets


def is_error(row):
    return "icmp:ip" in row["frame.protocols"]


def totals_of(rows):
    """Without ICMP errors."""
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        packet = None if is_error(row) else conversation_of(row)
        if packet is not None:
            key, from_low, octets = packet
            totals[key][0 if from_low else 1] += 1
            totals[key][2 if from_low else 3] += octets
    return totals


def add_errors(rows, totals):
    """ICMP errors by their own header, the first of the two that tshark shows."""
    for row in filter(is_error, rows):
        source, destination = (row["ip.src"], 0), (row["ip.dst"], 0)
        ends = sorted([source, destination])
        side = 0 if source == ends[0] else 1
        totals[(ends[0], ends[1], 1)][side] += 1
        totals[(ends[0], ends[1], 1)][2 + side] += int(row["ip.len"])


def from_dataset(dataset):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    for record in records_in(dataset):
        source = (record["sa"], record["sp"] or 0)
        destination = (record["da"], record["dp"] or 0)
        ends = sorted([source, destination])
        out = 0 if source == ends[0] else 1
        total = totals[(ends[0], ends[1], record["pr"])]
        total[out] += record["num_pkts_out"]
        total[1 - out] += record.get("num_pkts_in", 0)
        total[2 + out] += record["octets_out"]
        total[3 - out] += record.get("octets_in", 0)
    return totals


def main():
    curlew = sys.argv[1]
    results = Results()
    if shutil.which("tshark") is None:
        results.skip("conversations as tshark's", "tshark is not installed")
        results.exit()
    place = shared_or_skip(results, "conversations as tshark's", "datasets", "captures")
    if place is None:
        results.exit()
    captures = sorted(place.glob("*/*/*.pcap*"))
    innermost, outermost = rows_by_capture(captures)
    conversations = 0
    with tempfile.TemporaryDirectory() as archive:
        datasets, refused = run_all(curlew, captures, pathlib.Path(archive))
        for capture in captures:
            theirs = totals_of(innermost[capture])
            add_errors(outermost[capture], theirs)
            if not results.check(f"curlew run {capture.name}", capture in datasets,
                                 refused.get(capture, "")):
                continue
            ours = from_dataset(datasets[capture])
            wrong = {key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
            for key in sorted(wrong)[:3]:
                print(f"{capture.name}: {key}: tshark {theirs.get(key)}, ours {ours.get(key)}")
            results.check(f"{capture.name}: conversations", not wrong, f"{len(wrong)} differ")
            conversations += len(theirs)
    print(f"{conversations} conversations held against tshark")
    results.exit()


if __name__ == "__main__":
    main()
