#!/usr/bin/env python3
"""Packets and octets per innermost conversation equal tshark's on the public captures of tunnels.

usage: tunnel_conversations.py CURLEW [--all | CAPTURE...]

Without --all or CURLEW_ALL_CAPTURES=1 the known differences and a third of the others.
Which captures have tunnels is what tshark's protocols say (captures-public/MANIFEST.tsv), and
names where that column is empty. tshark reads without reassembly; the innermost IP header is the
last one that stands before any ICMP, whose errors quote another. Octets are IP total lengths.
"""

import collections
import csv
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import tshark  # noqa: E402
from captures import all_wanted, in_sample, records_in, run_all  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

TUNNELS = {"gre", "vxlan", "geneve", "gtp", "mpls", "pppoes", "erspan", "teredo", "l2tp", "etherip"}
LINKS = {"ieee-802-11-radiotap", "ieee-802-11", "chdlc", "frelay", "nflog", "ipnet", "fddi-swapped"}
NAMES = re.compile(r"^zeek/tunnels/|(4in|6in|gtp|vxlan|geneve|gre|erspan|mpls|pppoe|teredo)")
FIELDS = ["frame.protocols", "ip.src", "ip.dst", "ip.len", "ip.proto", "ipv6.src", "ipv6.dst",
          "ipv6.plen", "ipv6.nxt", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "igmp": 2}
IPV6_HEADER_OCTETS = 40

# With tunnels too; the manifest names no protocols for their folder.
OTHERS = {f"ndpi/{name}.pcap" for name in (
    "discord_mid_flow", "dtls", "ja3_lots_of_cipher_suites_2_anon", "pptp", "syslog",
    "tls_change_cipher")} | {f"tcpdump-malformed/gso-{name}.pcap" for name in (
        "ipv4-geneve-ipv4", "ipv4-vxlan-ipv4", "ipv6-geneve-ipv6", "ipv6-vxlan-ipv6")}

# Capture -> (packets that are elsewhere than tshark has them, why).
KNOWN = {
    "tcpdump-malformed/bigtcp-ipv4-geneve-ipv6.pcap": (1, "length 0: tshark stops, we do not"),
    "tcpdump-malformed/bigtcp-ipv4-vxlan-ipv6.pcap": (1, "length 0: tshark stops, we do not"),
    "tcpdump-malformed/bigtcp-ipv6-geneve-ipv4.pcap": (1, "length 0: tshark stops, we do not"),
    "tcpdump-malformed/bigtcp-ipv6-vxlan-ipv6.pcap": (1, "length 0: tshark stops, we do not"),
    "tcpdump-malformed/nsh-over-vxlan-gpe.pcap": (1, "NSH in VXLAN-GPE is not followed"),
    "zeek/tunnels/ayiya-large-identity.pcap": (1, "AYIYA is not followed"),
    "zeek/tunnels/gtp/gtp9_unknown_or_too_short_payload.pcap":
        (12, "an inner packet is longer than its tunnel: a packet of the tunnel's flow"),
    "zeek/tunnels/gtp/pdp_ctx_messages.pcapng": (6, "GTP version 0 is not followed"),
}


def tshark_rows(captures):
    """{capture: [row, ...]}"""
    told = tshark.rows_of(captures, FIELDS, "-E", "occurrence=a", "-E", "aggregator=;")
    return {capture: [{field: value.split(";") if value else []
                       for field, value in zip(FIELDS, values)} for _, values in rows]
            for capture, rows in told.items()}


def layers_of(row):
    """The names of a packet's layers before any ICMP, and how many of each precede each."""
    seen = collections.Counter()
    for name in ":".join(row["frame.protocols"]).split(":"):
        yield name, seen[name]
        seen[name] += 1
        if name in ("icmp", "icmpv6"):
            return


def at(values, index):
    return values[index] if index < len(values) else ""


def conversation_of(row):
    """Of one packet: (low end, high end, protocol), whether low sent it, octets; or None."""
    ip, transport = None, None
    for name, index in layers_of(row):
        if name in ("ip", "ipv6"):
            ip, transport = (name, index), None
        elif name in PROTOCOLS and ip and transport is None:
            transport = (name, index)
    if ip is None:
        return None
    version, index = ip
    source, destination = at(row[f"{version}.src"], index), at(row[f"{version}.dst"], index)
    if not source:
        return None
    if version == "ip":
        octets, protocol = int(at(row["ip.len"], index)), int(at(row["ip.proto"], index) or -1)
    else:
        octets = int(at(row["ipv6.plen"], index)) + IPV6_HEADER_OCTETS
        protocol = PROTOCOLS.get(transport[0]) if transport else None
        protocol = protocol or int(at(row["ipv6.nxt"], index) or -1)
    sp = dp = 0
    if transport and transport[0] in ("tcp", "udp") and PROTOCOLS[transport[0]] == protocol:
        sp = int(at(row[f"{transport[0]}.srcport"], transport[1]) or 0)
        dp = int(at(row[f"{transport[0]}.dstport"], transport[1]) or 0)
    ends = sorted([(source, sp), (destination, dp)])
    return (ends[0], ends[1], protocol), (source, sp) == ends[0], octets


def totals_of(rows):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        packet = conversation_of(row)
        if packet is not None:
            key, from_low, octets = packet
            totals[key][0 if from_low else 1] += 1
            totals[key][2 if from_low else 3] += octets
    return totals


def from_dataset(dataset):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    types = collections.Counter()
    for record in records_in(dataset):
        types.update(tunnel["type"] for tunnel in record.get("tunnel", []))
        ends = [(record["sa"], record["sp"] or 0), (record["da"], record["dp"] or 0)]
        out = 0 if ends[0] == min(ends) else 1
        total = totals[(min(ends), max(ends), record["pr"])]
        total[out] += record["num_pkts_out"]
        total[1 - out] += record.get("num_pkts_in", 0)
        total[2 + out] += record["octets_out"]
        total[3 - out] += record.get("octets_in", 0)
    return totals, types


def captures_of(folder, one_in):
    with open(folder / "MANIFEST.tsv", encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            protocols = set(row["tshark_protocols"].split(","))
            if row["packets"] not in ("?", "0") and (
                    protocols & TUNNELS or NAMES.search(row["file"]) or row["file"] in OTHERS or
                    row["link"] in LINKS) and (
                    row["file"] in KNOWN or in_sample(row["file"], one_in)):
                yield folder / row["file"]


def check_capture(results, name, dataset, rows):
    """Holds one capture's conversations against tshark's; how many there are."""
    ours, types = from_dataset(dataset)
    theirs = totals_of(rows)
    wrong = {key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
    moved = sum(sum(theirs.get(key, (0, 0))[:2]) for key in wrong)
    told = ", ".join(f"{name} {count}" for name, count in sorted(types.items())) or "no tunnel"
    expected, why = KNOWN.get(name, (0, ""))
    print(f"{name}: {len(theirs)} conversations, {len(wrong)} differ ({told}) {why}", flush=True)
    if not results.check(f"{name}: conversations", moved == expected and bool(wrong) == bool(why),
                         f"{moved} packets elsewhere, {expected} known"):
        for key in sorted(wrong, key=str)[:4]:
            print(f"  {key}: tshark {theirs.get(key)}, ours {ours.get(key)}")
    return len(theirs)


def main():
    curlew = sys.argv[1]
    results = Results()
    if shutil.which("tshark") is None:
        results.skip("conversations in tunnels as tshark's", "tshark is not installed")
        results.exit()
    folder = shared_or_skip(results, "conversations in tunnels as tshark's", "captures-public")
    if folder is None:
        results.exit()
    one_in = 1 if all_wanted(sys.argv) else 3
    named = [folder / name for name in sys.argv[2:] if name != "--all"]
    captures = named or sorted(captures_of(folder, one_in))
    rows = tshark_rows(captures)
    conversations = 0
    with tempfile.TemporaryDirectory() as archive:
        datasets, refused = run_all(curlew, captures, pathlib.Path(archive), "--fields", "slim")
        for capture in captures:
            name = str(capture.relative_to(folder))
            if results.check(f"curlew run {name}", capture in datasets, refused.get(capture, "")):
                conversations += check_capture(results, name, datasets[capture], rows[capture])
    print(f"{len(captures)} captures, {conversations} conversations held against tshark")
    results.exit()


if __name__ == "__main__":
    main()
