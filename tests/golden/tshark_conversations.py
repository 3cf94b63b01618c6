#!/usr/bin/env python3
"""Packets and octets per conversation equal tshark's, summed over a conversation's records.

usage: tshark_conversations.py CURLEW

tshark reads the innermost layer, without reassembling fragments. Octets are IP total lengths.
"""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results, shared_or_skip  # noqa: E402

FIELDS = ["ip.src", "ip.dst", "ip.len", "ip.proto", "ipv6.src", "ipv6.dst", "ipv6.plen",
          "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "icmpv6.type",
          "frame.protocols"]
IPV6_HEADER_OCTETS = 40


def tshark_rows(capture):
    command = ["tshark", "-n", "-r", capture, "-o", "ip.defragment:FALSE",
               "-o", "ipv6.defragment:FALSE", "-T", "fields", "-E", "separator=/t",
               "-E", "occurrence=l"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        yield dict(zip(FIELDS, line.split("\t")))


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


def outermost_quoted(row):
    return "icmp:ip" in row["frame.protocols"]


def from_tshark(capture):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    errors = []
    for row in tshark_rows(capture):
        if outermost_quoted(row):
            errors.append(row)
            continue
        packet = conversation_of(row)
        if packet is not None:
            key, from_low, octets = packet
            totals[key][0 if from_low else 1] += 1
            totals[key][2 if from_low else 3] += octets
    return totals, len(errors)


def icmp_errors(capture, totals):
    """ICMP errors by their own header, the first of the two that tshark shows."""
    command = ["tshark", "-n", "-r", capture, "-o", "ip.defragment:FALSE", "-Y", "icmp && ip",
               "-T", "fields", "-E", "occurrence=f", "-e", "ip.src", "-e", "ip.dst", "-e",
               "ip.len", "-e", "frame.protocols"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        source, destination, octets, protocols = line.split("\t")
        if "icmp:ip" in protocols:
            ends = sorted([(source, 0), (destination, 0)])
            side = 0 if (source, 0) == ends[0] else 1
            totals[(ends[0], ends[1], 1)][side] += 1
            totals[(ends[0], ends[1], 1)][2 + side] += int(octets)


def from_dataset(dataset):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    with open(dataset, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
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
    captures = shared_or_skip(results, "conversations as tshark's", "datasets", "captures")
    if captures is None:
        results.exit()
    conversations = 0
    with tempfile.TemporaryDirectory() as archive:
        for capture in sorted(captures.glob("*/*/*.pcap*")):
            theirs, errors = from_tshark(capture)
            if errors:
                icmp_errors(capture, theirs)
            command = [curlew, "run", capture, "--archive", archive, "--json"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if not results.check(f"curlew run {capture.name}", done.returncode == 0, done.stderr):
                continue
            ours = from_dataset(json.loads(done.stdout)["files"][0])
            wrong = {key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
            for key in sorted(wrong)[:3]:
                print(f"{capture.name}: {key}: tshark {theirs.get(key)}, ours {ours.get(key)}")
            results.check(f"{capture.name}: conversations", not wrong, f"{len(wrong)} differ")
            conversations += len(theirs)
    print(f"{conversations} conversations held against tshark")
    results.exit()


if __name__ == "__main__":
    main()
