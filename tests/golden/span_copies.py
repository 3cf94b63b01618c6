#!/usr/bin/env python3
"""Captures of a mirror port that shows packets again, of senders that send them again, and of both:
the former are counted, or removed, to the packet, the latter are not touched; no packet of the
datasets' captures is a copy, and public captures of such mirrors have as many as editcap finds.

usage: span_copies.py CURLEW

A case is a list of packets, each with the time at which it passes and how often it is shown. What
`--copies remove` writes of it has to be what is written of the same capture with no packet shown
again. editcap, which removes equal frames within a time, says how many there are where frames are
equal as a whole and no sender repeats itself.
"""

import collections
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures  # noqa: E402
import tshark  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

START_US = 1_700_000_000_000_000
CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
CLIENT_6, SERVER_6 = (bytes.fromhex("20010db8" + "00" * 11 + last) for last in ("01", "02"))
MAC_A, MAC_B, ROUTER = (bytes.fromhex("0200000000" + last) for last in ("01", "02", "fe"))
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SYN, PUSH, ACK = 0x02, 0x08, 0x10
DELAY_US = 7          # from a packet to its copy
WINDOW_US = 1000      # of `curlew run`
MOST_COPIES = 3       # of one packet

COUNTED = ("packets_offered", "packets_metered", "octets_metered")

# `again`: the frames that the mirror shows later, each with its delay.
Sent = collections.namedtuple("Sent", "time_us frame again")


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets[:len(octets) // 2 * 2]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo(source, destination, protocol, length):
    if len(source) == 4:
        return source + destination + struct.pack(">BBH", 0, protocol, length)
    return source + destination + struct.pack(">IHBB", length, 0, 0, protocol)


def summed(ends, protocol, octets, at):
    """The transport's octets with their checksum at `at`."""
    head = pseudo(*ends, protocol, len(octets)) if protocol != ICMP else b""
    value = checksum(head + octets)
    return octets[:at] + struct.pack(">H", value) + octets[at + 2:]


def tcp(ends, ports, sequence, acknowledgement, flags, payload=b""):
    head = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledgement, 0x50, flags, 4096, 0, 0)
    return summed(ends, TCP, head + payload, 16)


def udp(ends, ports, payload):
    return summed(ends, UDP, struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload, 6)


def ipv4(ends, protocol, body, number, ttl=64, flags=0x4000, service=0):
    head = struct.pack(">BBHHHBBH", 0x45, service, 20 + len(body), number, flags, ttl, protocol, 0)
    head += ends[0] + ends[1]
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def ipv6(ends, protocol, body):
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + ends[0] + ends[1] + body


def frame(packet, vlan=None, macs=(MAC_B, MAC_A)):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    tag = b"" if vlan is None else b"\x81\x00" + struct.pack(">H", vlan)
    return b"".join(macs) + tag + kind + packet


class Host:
    """Numbers its packets as a host does: each flow from its own beginning."""

    def __init__(self, first=100, step=1):
        self.number, self.step = first, step

    def __call__(self, ends, protocol, body, **more):
        if len(ends[0]) == 16:
            return ipv6(ends, protocol, body)
        self.number += self.step
        return ipv4(ends, protocol, body, self.number, **more)


class Line:
    """Packets in the order in which they pass, every one `pace` after the one before."""

    def __init__(self, pace_us=50, version=4, first=100, step=1):
        self.sent, self.now_us, self.pace_us = [], START_US, pace_us
        self.client, self.server = Host(first, step), Host(first and first + 5000, step)
        self.out = (CLIENT, SERVER) if version == 4 else (CLIENT_6, SERVER_6)
        self.back = self.out[::-1]

    def put(self, packet, shown=1, after_us=None, again=None, **link):
        self.now_us += self.pace_us if after_us is None else after_us
        if again is None:
            again = [(DELAY_US * (n + 1), frame(packet, **link)) for n in range(shown - 1)]
        self.sent.append(Sent(self.now_us, frame(packet, **link), again))
        return packet

    def conversation(self, shown=1, segments=6, port=40000):
        """A TCP connection with requests and responses; `shown` times all of it."""
        def client(flags, sequence, acknowledgement, payload=b""):
            self.put(self.client(self.out, TCP, tcp(self.out, (port, 80), sequence,
                                                    acknowledgement, flags, payload)), shown)

        def server(flags, sequence, acknowledgement, payload=b""):
            self.put(self.server(self.back, TCP, tcp(self.back, (80, port), sequence,
                                                     acknowledgement, flags, payload)), shown)
        client(SYN, 1, 0)
        server(SYN | ACK, 1, 2)
        client(ACK, 2, 2)
        for n in range(segments):
            client(ACK | PUSH, 2 + 100 * n, 2 + 500 * n, bytes([n]) * 100)
            server(ACK | PUSH, 2 + 500 * n, 102 + 100 * n, bytes([n]) * 500)
            client(ACK, 102 + 100 * n, 502 + 500 * n)
        return self

    def datagrams(self, payloads, shown=1, port=5000, **more):
        for payload in payloads:
            self.put(self.client(self.out, UDP, udp(self.out, (port, 53), payload), **more), shown)
        return self


def echo(ends, sequence):
    kind, protocol = (8, ICMP) if len(ends[0]) == 4 else (128, ICMP6)
    octets = struct.pack(">BBHHH", kind, 0, 0, 7, sequence) + b"p" * 32
    return protocol, summed(ends, protocol, octets, 2)


def everything_twice():
    line = Line().conversation(shown=2)
    line.datagrams([b"query %d" % n for n in range(10)], shown=2)
    for n in range(5):
        line.put(line.client(line.out, *echo(line.out, n)), shown=2)
    return line


def one_delay_after_another():
    """A delay longer than the pace: copies come between later packets."""
    line = Line(pace_us=3)
    line.datagrams([bytes([n]) * 1400 for n in range(60)], shown=2)
    return line.conversation(shown=2)


def retransmissions(shown=1):
    line = Line(pace_us=300).conversation(shown)
    for again in range(4):
        line.put(line.client(line.out, TCP, tcp(line.out, (40000, 80), 602, 3002, ACK | PUSH,
                                                b"again" * 20)), shown,
                 after_us=(100, 300, 200_000, 400_000)[again])
    return line


def duplicate_acknowledgements(version, step, shown=1):
    line = Line(version=version, first=step * 100, step=step).conversation()
    for _ in range(6):
        line.put(line.client(line.out, TCP, tcp(line.out, (40000, 80), 602, 3002, ACK)), shown,
                 after_us=5 if shown == 1 else 50)
    return line


def fast_retransmission(version, step, shown=1):
    """A segment that gets lost behind the mirror comes again within the window."""
    line = Line(pace_us=20, version=version, first=step * 100, step=step).conversation()

    def server(sequence):
        line.put(line.server(line.back, TCP, tcp(line.back, (80, 40000), sequence, 602,
                                                 ACK | PUSH, b"s" * 500)), shown)
    for sequence in (3002, 3502, 4002, 4502):
        server(sequence)
    for _ in range(3):
        line.put(line.client(line.out, TCP, tcp(line.out, (40000, 80), 602, 3002, ACK)), shown)
    server(3002)
    return line


def repeated_datagrams(version=4, first=0, step=0, times=3):
    line = Line(pace_us=30, version=version, first=first, step=step)
    search = b"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n"
    line.datagrams([search] * times, port=1900)
    for _ in range(times):
        line.put(line.client(line.out, *echo(line.out, 1)))
    return line


def one_number_for_all():
    line = Line(pace_us=30, first=4711, step=0)
    return line.datagrams([b"first", b"second", b"third", b"third", b"second", b"second"])


def flood():
    return Line(pace_us=3, first=4711, step=0).datagrams([b"flood"] * 2000)


def other_link_headers():
    """In with one tag, out with another or none, from another address on the way."""
    line = Line()
    for n in range(12):
        packet = line.client(line.out, UDP, udp(line.out, (5000, 53), b"%d" % n))
        line.put(packet, vlan=10, again=[
            (DELAY_US, frame(packet, vlan=20 if n % 2 else None, macs=(MAC_B, ROUTER)))])
    return line


def fragments(version):
    line = Line()
    for number in range(1, 9):
        body = udp(line.out if version == 4 else (CLIENT_6, SERVER_6), (5000, 53), b"f" * 2992)
        for part in range(6):
            piece, more = body[part * 500 // 8 * 8:(part + 1) * 500 // 8 * 8], part < 5
            at = part * 500 // 8
            if version == 4:
                packet = ipv4(line.out, UDP, piece, number - 1, flags=at | (0x2000 if more else 0))
            else:
                packet = ipv6((CLIENT_6, SERVER_6), 44,
                              struct.pack(">BBHI", UDP, 0, at << 3 | more, number) + piece)
            line.put(packet, shown=2)
    return line


def tunnels(*networks):
    """VXLAN, seen before and behind a router: of one network, or of two that carry the same."""
    line = Line()
    ends = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2])
    for n in range(10):
        inner = line.client(line.out, UDP, udp(line.out, (5000, 53), b"%d" % n))
        before, behind = (
            ipv4(ends, UDP, udp(ends, (50000 + n, 4789),
                                struct.pack(">II", 8 << 24, network << 8) + frame(inner)),
                 number, ttl)
            for network, number, ttl in zip(networks, (n + 1, n + 1), (64, 63)))
        line.put(before, again=[(DELAY_US, frame(behind))])
    return line


def rewritten(**change):
    line = Line()
    for n in range(10):
        body = udp(line.out, (5000, 53), b"%d" % n)
        packet = ipv4(line.out, UDP, body, 100 + n)
        line.put(packet, again=[(DELAY_US, frame(ipv4(line.out, UDP, body, 100 + n, **change)))])
    return line


def late():
    line = Line(pace_us=10_000)
    for n in range(10):
        packet = line.client(line.out, UDP, udp(line.out, (5000, 53), b"%d" % n))
        line.put(packet, again=[(1500, frame(packet))])
    return line


# Name: the packets, how many are copies, whether editcap is to agree, more options.
Case = collections.namedtuple("Case", "line copies editcap options", defaults=(True, ()))
CASES = {
    "all-twice": Case(everything_twice(), 21 + 10 + 5),
    "copies-between": Case(one_delay_after_another(), 60 + 21),
    "thrice": Case(Line().datagrams([b"a", b"b", b"c"], shown=3), 6),
    "retransmissions": Case(retransmissions(), 0),
    "retransmissions-twice": Case(retransmissions(shown=2), 21 + 4),
    "dup-acks": Case(duplicate_acknowledgements(4, 1), 0),
    "dup-acks-twice": Case(duplicate_acknowledgements(4, 1, shown=2), 6),
    "dup-acks-id-0": Case(duplicate_acknowledgements(4, 0), 0, False),
    "dup-acks-ipv6": Case(duplicate_acknowledgements(6, 0), 0, False),
    "fast-retransmission": Case(fast_retransmission(4, 1), 0),
    "fast-retransmission-twice": Case(fast_retransmission(4, 1, shown=2), 8),
    "fast-retransmission-id-0": Case(fast_retransmission(4, 0), 0, False),
    "fast-retransmission-ipv6": Case(fast_retransmission(6, 0), 0, False),
    # Of the four segments and the one that comes again.
    "fast-retransmission-ipv6-twice": Case(fast_retransmission(6, 0, shown=2), 5, False),
    "datagrams-id-0": Case(repeated_datagrams(), 0, False),
    "datagrams-ipv6": Case(repeated_datagrams(version=6), 0, False),
    "datagrams-numbered": Case(repeated_datagrams(first=100, step=1), 0),
    "one-number": Case(one_number_for_all(), 0, False),
    "flood": Case(flood(), MOST_COPIES, False),
    # Of each of six rounds a request and a response.
    "ipv6-twice": Case(Line(version=6).conversation(shown=2), 12, False),
    "id-0-twice": Case(Line(first=0, step=0).conversation(shown=2), 12, False),
    "other-link-headers": Case(other_link_headers(), 12, False),
    "fragments": Case(fragments(4), 48),
    "fragments-ipv6": Case(fragments(6), 48),
    "tunnel-routed": Case(tunnels(7, 7), 10, False),
    "tunnels-apart": Case(tunnels(7, 8), 0),
    "routed": Case(rewritten(ttl=63), 0),
    "remarked": Case(rewritten(service=0x20), 0),
    "late": Case(late(), 0),
    "late-window": Case(late(), 10, True, ("--copy-window", "2000")),
    "cut": Case(everything_twice(), 36),
}
SNAPSHOT = {"cut": 54}


def write(path, line, with_copies):
    """Frames in order of time."""
    shown = [(sent.time_us, sent.frame) for sent in line.sent]
    if with_copies:
        shown += [(sent.time_us + delay, octets) for sent in line.sent
                  for delay, octets in sent.again]
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for time_us, octets in sorted(shown, key=lambda one: one[0]):
            kept = octets[:SNAPSHOT.get(path.stem, len(octets))]
            file.write(struct.pack("<IIII", *divmod(time_us, 1_000_000), len(kept), len(octets)))
            file.write(kept)
    return len(shown)


def run(curlew, paths, folder, *options):
    """{capture: (ledger, records)}, with the summary held against the ledgers."""
    done = captures.Run(curlew, paths, folder, *options)
    if done.refused:
        raise RuntimeError(str(done.refused))
    made = {path: (captures.ledger_of(dataset), captures.records_in(dataset))
            for path, dataset in done.datasets.items()}
    totals = collections.Counter()
    for ledger, _ in made.values():
        totals.update({name: ledger[name] for name in COUNTED})
        totals.update(ledger["packets_not_metered"])
    summary = done.summary
    if totals != collections.Counter({name: summary[name] for name in COUNTED} |
                                     summary["packets_not_metered"]):
        raise RuntimeError(f"the summary {summary} is not the sum of the ledgers, {totals}")
    return made


def without_copies(records):
    return [{**{name: value for name, value in record.items()
                if name not in ("copies_out", "copies_in")},
             "quality": [one for one in record["quality"] if one != "duplicate"]}
            for record in records]


def copies_of(records):
    return sum(record.get("copies_out", 0) + record.get("copies_in", 0) for record in records)


def packets_of(records):
    return sum(record["num_pkts_out"] + record.get("num_pkts_in", 0) for record in records)


def removed_by_editcap(capture, window_us, folder):
    done = subprocess.run(["editcap", "-w", f"{window_us / 1e6:.6f}", capture, folder / "left"],
                          capture_output=True, text=True, check=True)
    return int(re.search(r"(\d+) packets? skipped", done.stderr)[1])


def runs_of_cases(curlew, folder):
    """{name: {action, or "clean" without what the mirror adds: (ledger, records)}}"""
    runs = {name: {} for name in CASES}
    for options in {case.options for case in CASES.values()}:
        names = [name for name, case in CASES.items() if case.options == options]
        for kind in ("count", "remove", "off", "clean"):
            place = folder / ("clean" if kind == "clean" else "shown")
            action = "off" if kind == "clean" else kind
            made = run(curlew, [place / f"{name}.pcap" for name in names],
                       folder / "-".join((kind, *options)), "--copies", action, *options)
            for path, one in made.items():
                runs[path.stem][kind] = one
    return runs


def check_cases(results, curlew, folder):
    offered = {}
    for place in ("shown", "clean"):
        (folder / place).mkdir()
        for name, case in CASES.items():
            count = write(folder / place / f"{name}.pcap", case.line, place == "shown")
            offered.setdefault(name, count)
    for name, runs in runs_of_cases(curlew, folder).items():
        check_case(results, name, runs, offered[name])
        if CASES[name].editcap:
            check_by_editcap(results, name, folder)


def check_case(results, name, runs, offered):
    case = CASES[name]
    for action in ("count", "remove", "off"):
        ledger, records = runs[action]
        removed = case.copies if action == "remove" else 0
        results.check(f"{name}: {action}: copies in the records",
                      copies_of(records) == (0 if action == "off" else case.copies),
                      f"{copies_of(records)}, should be {case.copies}")
        results.check(f"{name}: {action}: marked where there are copies", all(
            ("duplicate" in record["quality"]) == ("copies_out" in record or "copies_in" in record)
            for record in records))
        results.check(f"{name}: {action}: ledger",
                      ledger["packets_not_metered"] == ({"copy": removed} if removed else {})
                      and ledger["packets_offered"] == offered
                      and ledger["packets_metered"] == packets_of(records) == offered - removed,
                      str(ledger))
    results.check(f"{name}: what is only counted changes nothing else",
                  without_copies(runs["count"][1]) == runs["off"][1])
    same = [sent for sent in case.line.sent if sent.again]
    if case.copies == sum(len(sent.again) for sent in same) and "flood" != name:
        ledger, records = runs["clean"]
        results.check(f"{name}: what is removed leaves what was sent",
                      without_copies(runs["remove"][1]) == records
                      and runs["remove"][0]["octets_metered"] == ledger["octets_metered"])


def check_by_editcap(results, name, folder):
    case = CASES[name]
    window_us = int(case.options[1]) if case.options else WINDOW_US
    found = removed_by_editcap(folder / "shown" / f"{name}.pcap", window_us, folder)
    results.check(f"{name}: editcap", found == case.copies, f"{found} and {case.copies}")


def check_workers(results, curlew, folder):
    """All cases in one capture, by any number of workers."""
    capture = folder / "all.pcap"
    line = Line()
    line.sent = [sent for case in CASES.values() for sent in case.line.sent]
    write(capture, line, True)
    for action in ("count", "remove"):
        found = [run(curlew, [capture], folder / f"{action}-{workers}", "--copies", action,
                     "--workers", str(workers))[capture] for workers in (1, 2, 3, 7)]
        results.check(f"{action}: any number of workers", all(one[1] == found[0][1]
                                                              for one in found))
        results.check(f"{action}: there are copies", copies_of(found[0][1]) > 100)


TSHARK_FIELDS = ("frame.time_epoch", "ip.src", "ip.dst", "ip.id", "ip.ttl", "ip.flags",
                 "ip.frag_offset", "ip.len", "ip.checksum", "tcp.seq_raw", "tcp.ack_raw",
                 "tcp.checksum", "tcp.payload", "udp.checksum", "udp.payload", "icmp.checksum",
                 "data.data")


def repeated(rows):
    """Pairs of frames that are equal and lie within the window."""
    seen, pairs = {}, []
    for number, (time, *rest) in rows:
        before = seen.get(tuple(rest))
        if before and float(time) - before[1] <= WINDOW_US / 1e6:
            pairs.append((before[0], number))
        seen[tuple(rest)] = (number, float(time))
    return pairs


def check_shared(results, curlew, folder):
    place = shared_or_skip(results, "no packet of the datasets' captures is a copy", "datasets",
                           "captures")
    if place is None:
        return
    found, packets = 0, 0
    made = run(curlew, sorted(place.glob("**/*.pcap*")), folder / "shared", "--copies", "remove")
    # Those with an IPv4 identification.
    rows = tshark.rows_of(list(made), TSHARK_FIELDS, "-Y", "ip.id && ip.id != 0")
    for capture, (ledger, records) in made.items():
        name = captures.short_name(capture)
        copies = ledger["packets_not_metered"].get("copy", 0)
        pairs = repeated(rows[capture])
        results.check(f"{name}: no copy", copies == 0 and copies_of(records) == 0, f"{copies}")
        results.check(f"{name}: tshark finds none", not pairs, f"frames {pairs[:5]}")
        found, packets = found + copies, packets + ledger["packets_metered"]
    print(f"{packets} packets of the shared captures, {found} copies")


# Public captures of mirrors that show packets twice or more, of senders that number all of them.
MIRRORED = ("ndpi/dnp3.pcap", "ndpi/heuristic_tcp_ack_payload.pcap", "ndpi/kerberos-login.pcap",
            "zeek/http/m57-long-49600-80.pcap")


def check_mirrored(results, curlew, folder):
    named = {}
    for name in MIRRORED:
        capture = shared_or_skip(results, f"{name}: copies", "captures-public", *name.split("/"))
        if capture is not None:
            named[capture] = name
    made = run(curlew, named, folder / "public", "--copies", "remove") if named else {}
    for capture, (ledger, _) in made.items():
        name = named[capture]
        copies = ledger["packets_not_metered"].get("copy", 0)
        found = removed_by_editcap(capture, WINDOW_US, folder)
        print(f"{name}: {ledger['packets_offered']} packets, {copies} copies")
        results.check(f"{name}: editcap", copies == found > 0, f"{copies} and {found}")


def main():
    results = Results()
    if shutil.which("editcap") is None or shutil.which("tshark") is None:
        results.skip("copies", "editcap and tshark are not installed")
        results.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_cases(results, sys.argv[1], folder)
        check_workers(results, sys.argv[1], folder)
        check_shared(results, sys.argv[1], folder)
        check_mirrored(results, sys.argv[1], folder)
    results.exit()


if __name__ == "__main__":
    main()
