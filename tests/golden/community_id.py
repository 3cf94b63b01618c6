#!/usr/bin/env python3
"""community_id of 10,000 flows of all kinds, against a second implementation of the specification.

usage: community_id.py CURLEW

The flows are made here by chance with a fixed seed: TCP, UDP, SCTP, ICMP, ICMPv6 and protocols
without ports, IPv4 and IPv6, some with an answer. The second implementation is itself held against
ids that the specification's authors published.
"""

import base64
import collections
import hashlib
import ipaddress
import pathlib
import random
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures  # noqa: E402
from capture_maker import FIRST_SECOND, GLOBAL_HEADER  # noqa: E402
from results import Results  # noqa: E402

FLOWS = 10_000
SEED = 20180914
TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
PLAIN = (50, 89, 103, 112)  # ESP, OSPF, PIM, VRRP: no ports

# A type and the one that answers it, both ways.
ANSWERS = {
    ICMP: {8: 0, 13: 14, 15: 16, 17: 18, 10: 9},
    ICMP6: {128: 129, 133: 134, 135: 136, 130: 131, 139: 140, 144: 145},
}
ANSWERS = {protocol: {**pairs, **{answer: asked for asked, answer in pairs.items()}}
           for protocol, pairs in ANSWERS.items()}
ICMP_TYPES = {ICMP: (0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 40),
              ICMP6: (1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 135, 136, 137, 139, 140, 143,
                      144, 145, 200)}

Flow = collections.namedtuple("Flow", "source destination protocol first second")

# Of the specification's authors (corelight/community-id-spec).
PUBLISHED = (
    (("128.232.110.120", "66.35.250.204", TCP, 34855, 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (("66.35.250.204", "128.232.110.120", TCP, 80, 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (("192.168.1.52", "8.8.8.8", UDP, 54585, 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (("192.168.0.89", "192.168.0.1", ICMP, 8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    (("192.168.170.8", "192.168.170.56", SCTP, 7, 80), "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
)


def community_id(flow):
    """`first` and `second` are ports, or type and code of the first packet."""
    source, destination = flow.source.packed, flow.destination.packed
    first, second = flow.first, flow.second
    ordered = True
    if flow.protocol in ANSWERS:
        ordered = first in ANSWERS[flow.protocol]
        second = ANSWERS[flow.protocol].get(first, second)
    if ordered and (destination, second) < (source, first):
        source, destination, first, second = destination, source, second, first
    text = struct.pack(">H", 0) + source + destination + struct.pack(">BB", flow.protocol, 0)
    if flow.protocol in (TCP, UDP, SCTP, ICMP, ICMP6):
        text += struct.pack(">HH", first, second)
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


def transport(flow, answered):
    """Octets of the flow's first packet behind IP, or of its answer."""
    first, second = flow.first, flow.second
    if flow.protocol in (ICMP, ICMP6):
        if answered:
            first, second = ANSWERS[flow.protocol].get(first, first), 0
        return struct.pack(">BBHHH", first, second, 0, 1, 1) + bytes(24)
    if answered:
        first, second = second, first
    if flow.protocol == TCP:
        flags = 0x12 if answered else 2
        return struct.pack(">HHIIBBHHH", first, second, 1, 1, 0x50, flags, 1024, 0, 0)
    if flow.protocol == UDP:
        return struct.pack(">HHHH", first, second, 8 + 16, 0) + bytes(16)
    if flow.protocol == SCTP:
        return struct.pack(">HHII", first, second, 1, 0) + bytes(20)
    return bytes(32)


def frame(flow, answered):
    source, destination = flow.source.packed, flow.destination.packed
    if answered:
        source, destination = destination, source
    segment = transport(flow, answered)
    if len(source) == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, flow.protocol, 0)
    else:
        ip = struct.pack(">IHBB", 6 << 28, len(segment), flow.protocol, 64)
    ethertype = b"\x08\x00" if len(source) == 4 else b"\x86\xdd"
    return bytes(12) + ethertype + ip + source + destination + segment


def flows_by_chance(chance):
    flows = []
    taken = set()
    while len(flows) < FLOWS:
        protocol = chance.choice((TCP, TCP, UDP, UDP, SCTP, ICMP, ICMP6, *PLAIN[:2]))
        octets = 16 if protocol == ICMP6 or (protocol != ICMP and chance.random() < 0.4) else 4
        low, high = (chance.randbytes(octets) for _ in "ab")
        if chance.random() < 0.5:  # neighbours, whose order hangs on the last octets
            high = low[:-1] + high[-1:]
        first, second = chance.randrange(65536), chance.randrange(65536)
        if protocol in ICMP_TYPES:
            first, second = chance.choice(ICMP_TYPES[protocol]), chance.randrange(16)
        elif protocol == UDP and {first, second} & RESERVED_PORTS:
            continue
        elif protocol in (TCP, UDP) and chance.random() < 0.02:
            high, second = low, first + 1 & 65535
        elif protocol in PLAIN:
            first = second = 0
        pair = frozenset((low, high)), protocol
        if pair not in taken and (protocol in (TCP, UDP) or low != high):
            taken.add(pair)
            flows.append(Flow(ipaddress.ip_address(low), ipaddress.ip_address(high), protocol,
                              first, second))
    return flows


# A payload of zeros on these would be taken for a tunnel.
RESERVED_PORTS = {2123, 2152, 3544, 3545, 4500, 4754, 4789, 6081, 8472, 48879}


def write_capture(path, flows, chance):
    with open(path, "wb") as file:
        file.write(GLOBAL_HEADER)
        for number, flow in enumerate(flows):
            for answered in (False, True) if chance.random() < 0.3 else (False,):
                octets = frame(flow, answered)
                micros = number * 10 + answered
                file.write(struct.pack("<IIII", FIRST_SECOND, micros, len(octets), len(octets)))
                file.write(octets)


def key_of(source, destination, protocol, *ports):
    ends = [source, destination]
    return frozenset(ends), protocol, frozenset(ports if protocol in (TCP, UDP, SCTP) else ())


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    for (source, destination, *rest), known in PUBLISHED:
        flow = Flow(ipaddress.ip_address(source), ipaddress.ip_address(destination), *rest)
        results.check(f"{source} - {destination}: as published", community_id(flow) == known)
    chance = random.Random(SEED)
    flows = flows_by_chance(chance)
    with tempfile.TemporaryDirectory() as name:
        capture = pathlib.Path(name) / "flows.pcap"
        write_capture(capture, flows, chance)
        run = captures.Run(curlew, [capture], pathlib.Path(name))
        if not results.check("curlew run", capture in run.datasets, str(run.refused)):
            results.exit()
        records = captures.records_in(run.datasets[capture])
    ours = {key_of(r["sa"], r["da"], r["pr"], r["sp"], r["dp"]): r for r in records}
    results.check("a record for each flow", len(records) == len(flows),
                  f"{len(records)} records of {len(flows)} flows")
    wrong = collections.Counter()
    for flow in flows:
        record = ours.get(key_of(str(flow.source), str(flow.destination), flow.protocol,
                                 flow.first, flow.second), {})
        wanted = community_id(flow)
        if record.get("community_id") != wanted:
            wrong[flow.protocol] += 1
            if wrong[flow.protocol] <= 3:
                print(f"{flow}: {record.get('community_id', 'none')}, should be {wanted}")
    results.check(f"community_id of {len(flows)} flows, seed {SEED}", not wrong, str(dict(wrong)))
    results.exit()


if __name__ == "__main__":
    main()
