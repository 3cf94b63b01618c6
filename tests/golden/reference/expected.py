"""What a record of preset curlew has to say of its packets, computed anew from its definitions.

Each function returns members of the record as they are expected, `ABSENT` for what is left out.
"""

import collections
import math
import struct

from packets import TCP

ABSENT = object()
LISTED_PACKETS = 50


def counts(placed):
    members = {}
    for side, out in (("out", True), ("in", False)):
        ours = [p for p in placed if p.out is out]
        there = ours or out
        members[f"num_pkts_{side}"] = len(ours) if there else ABSENT
        members[f"bytes_{side}"] = sum(p.layer.payload_octets for p in ours) if there else ABSENT
        members[f"octets_{side}"] = sum(p.layer.octets for p in ours) if there else ABSENT
        members[f"frame_octets_{side}"] = \
            sum(p.packet.frame_octets for p in ours) if there else ABSENT
    return members


def times(placed):
    stamps = [p.packet.time_ns for p in placed]
    return {"time_start_ns": min(stamps), "time_end_ns": max(stamps)}


def packet_list(placed, start_ns, limit=LISTED_PACKETS):
    """The first packets with payload of each direction, in order of time."""
    listed = []
    taken = {True: 0, False: 0}
    for p in placed:
        if p.layer.payload_octets > 0 and taken[p.out] < limit:
            taken[p.out] += 1
            listed.append(p)
    listed.sort(key=lambda p: p.packet.time_ns)
    entries = []
    before_us = start_ns // 1000
    for p in listed:
        now_us = p.packet.time_ns // 1000
        gap_us = now_us - before_us
        entries.append({"b": p.layer.payload_octets, "dir": ">" if p.out else "<",
                        "ipt": gap_us // 1000, "t": gap_us})
        before_us = now_us
    return entries


def octet_counts(placed):
    total = collections.Counter()
    for p in placed:
        total.update(p.layer.payload)
    return [total.get(value, 0) for value in range(256)]


def octet_statistics(placed):
    members = dict.fromkeys(
        ("byte_dist", "byte_dist_mean", "byte_dist_std", "entropy", "total_entropy", "wht"), ABSENT)
    counted = octet_counts(placed)
    total = sum(counted)
    if total == 0:
        if not any(p.layer.payload_octets for p in placed):
            members["byte_dist"] = counted
        return members
    mean = sum(value * count for value, count in enumerate(counted)) / total
    squares = math.fsum(count * (value - mean) ** 2 for value, count in enumerate(counted))
    entropy = -math.fsum(count / total * math.log2(count / total) for count in counted if count)
    members.update(byte_dist=counted, byte_dist_mean=mean, entropy=entropy,
                   byte_dist_std=math.sqrt(squares / (total - 1)) if total > 1 else 0.0,
                   total_entropy=entropy * total, wht=walsh(placed, total))
    return members


def walsh(placed, total):
    """Sums of a, b, c, d over groups of four octets of each packet, the last filled with zeros."""
    a = b = c = d = 0
    for p in placed:
        octets = p.layer.payload
        a, b = a + sum(octets[0::4]), b + sum(octets[1::4])
        c, d = c + sum(octets[2::4]), d + sum(octets[3::4])
    return [(a + b + c + d) / total, (a - b + c - d) / total,
            (a + b - c - d) / total, (a - b - c + d) / total]


def histogram(values):
    """Eight bins: below 16, 32, 64, 128, 256, 512, 1024, and the rest."""
    bins = [0] * 8
    for value in values:
        bins[min(7, max(0, int(value).bit_length() - 4))] += 1
    return bins


def moments(values):
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return {"min": min(values), "mean": mean, "max": max(values),
            "std": math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else 0.0}


def gaps_of(stamps):
    gaps = [max(0, after - before) for before, after in zip(stamps, stamps[1:])]
    members = {"count": len(gaps), "hist": histogram([gap // 1_000_000 for gap in gaps])}
    if gaps:
        exact = moments([gap / 1000 for gap in gaps])
        members.update(exact)
    return members


def bursts(side):
    """Maximal runs of at least 3 payload packets, each within 1 s of the one before."""
    found, run, before = 0, 0, None
    for p in side:
        if p.layer.payload_octets == 0:
            continue
        close = before is not None and p.packet.time_ns - before <= 1_000_000_000
        run = run + 1 if close else 1
        found += run == 3
        before = p.packet.time_ns
    return found


class SeenSequence:
    """What of a direction's sequence space was seen, as ranges relative to the first number."""

    def __init__(self):
        self.first = None
        self.highest = 0
        self.ranges = []

    def add(self, sequence, length, is_syn):
        """'new', 'retransmission' or 'out_of_order' of a segment that takes sequence space."""
        if self.first is None:
            self.first = sequence
        begin = struct.unpack(">i", struct.pack(">I", (sequence - self.first - self.highest)
                                                & 0xffffffff))[0] + self.highest
        is_far = self.ranges and abs(begin - self.highest) > 1 << 30
        if is_far or is_syn and self.ranges and self.ranges[0][0] not in (begin, begin + 1):
            # Another connection between the same two, or farther than any window.
            self.__init__()
            return self.add(sequence, length, is_syn)
        end = begin + length
        verdict = "new"
        if self.ranges and begin < self.highest:
            # What lies before the highest number seen fills a gap, or was there before.
            if self.has_all(begin, min(end, self.highest)):
                verdict = "retransmission" if end <= self.highest else "new"
            else:
                verdict = "out_of_order"
        self.ranges.append((begin, end))
        self.join()
        self.highest = max(self.highest, end) if self.ranges else end
        return verdict

    def has_all(self, begin, end):
        return any(low <= begin and end <= high for low, high in self.ranges)

    def join(self):
        joined = []
        for low, high in sorted(self.ranges):
            if joined and low <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], high)
            else:
                joined.append([low, high])
        self.ranges = [tuple(one) for one in joined]


def tcp_faults(side, seen):
    found = collections.Counter()
    for p in side:
        flags = p.layer.flags
        if flags is None:
            continue
        length = p.layer.payload_octets + (flags & 1) + (flags >> 1 & 1)
        if length and not flags & 4:
            found[seen.add(p.layer.sequence, length, bool(flags & 2))] += 1
        found["zero_windows"] += p.layer.window == 0 and not flags & 6
    return {"retransmissions": found["retransmission"], "out_of_order": found["out_of_order"],
            "zero_windows": found["zero_windows"]}


def side_statistics(side, seen):
    lengths = [p.layer.payload_octets for p in side]
    frames = [p.packet.frame_octets for p in side]
    members = {
        "payload": {**moments(lengths), "hist": histogram(lengths)},
        "frame": {**moments(frames), "hist": histogram(frames)},
        "gap_us": gaps_of([p.packet.time_ns for p in side]),
        "bursts": bursts(side),
    }
    if side[0].layer.protocol == TCP:
        members.update(tcp_faults(side, seen))
    return members


def handshake(placed):
    """Microseconds that a side took to answer the other's SYN by SYN+ACK, or its SYN+ACK by ACK. Of
    one that was repeated the last before its answer counts; an answer stamped earlier is none. In a
    split handshake (RFC 793 figure 8 and what is made of it) the responder's SYN begins it anew."""
    syn, syn_ack, found = {}, {}, {}
    for p in placed:
        kind = (p.layer.flags or 0) & 0x17
        now, side, other = p.packet.time_ns, *(("out", "in") if p.out else ("in", "out"))
        if kind == 2 and other not in found and other not in syn_ack:
            syn[side] = now
        elif kind == 0x12:
            if other in syn and side not in found:
                found[side] = now - syn[other]
            syn_ack[side] = now
        elif kind & 0x16 == 0x10 and other in syn_ack and side not in found:
            found[side] = now - syn_ack[other]
    return {name: value / 1000 for name, value in found.items() if value >= 0}


def statistics(placed, record_number, seen):
    """`seen` has for each side, True of "out", what earlier records of the flow saw."""
    members = {}
    for side, out in (("out", True), ("in", False)):
        ours = [p for p in placed if p.out is out]
        if ours:
            members[side] = side_statistics(ours, seen[out])
            if any(p.layer.fragment for p in ours):
                # Its other pieces do not tell their numbers.
                seen[out] = SeenSequence()
    rtt = handshake(placed) if record_number == 0 and placed[0].layer.protocol == TCP else {}
    if rtt:
        members["rtt_us"] = rtt
    return {"stats": members}
