"""Which packet belongs to which record: the records of a flow part its packets, in their order.

A record tells how many packets it holds; the first ones of its key that no earlier record has are
its own. That they are the right ones then shows in its times, octets and lists.
"""

import collections
import dataclasses
import ipaddress

FRAGMENT_TIMEOUT_NS = 60_000_000_000


@dataclasses.dataclass
class Placed:
    """A packet at the layer that was metered."""

    packet: object
    layer: object
    out: bool


class Fragments:
    """Later fragments get the ports of their first one, as far as that came before them."""

    def __init__(self):
        self.first = {}

    @staticmethod
    def identity(layer):
        protocol = layer.protocol if layer.source.version == 4 else None
        return layer.source, layer.destination, layer.identification, protocol

    def resolve(self, layer, time_ns):
        if not layer.fragment:
            return
        known = self.first.get(self.identity(layer))
        if known is not None and time_ns - known[0] > FRAGMENT_TIMEOUT_NS:
            known = None
        if not layer.later:
            facts = (layer.protocol, layer.sender_port, layer.receiver_port)
            # When first fragments contradict each other the first one remembered wins.
            if known is None or known[1] == facts:
                self.first[self.identity(layer)] = (time_ns, facts)
        elif known is not None:
            layer.protocol, layer.sender_port, layer.receiver_port = known[1]


def key_of_record(record):
    ends = sorted([(str(ipaddress.ip_address(record["sa"])), record["sp"] or 0),
                   (str(ipaddress.ip_address(record["da"])), record["dp"] or 0)])
    networks = [one["id"] for one in record.get("tunnel", [])
                if one["type"] in ("vxlan", "geneve", "unknown")]
    return ends[0], ends[1], record["pr"], networks[-1] if networks else None


def key_of_layer(layer):
    low, high = sorted(layer.ends())
    return low, high, layer.protocol, layer.network


def order_of(record):
    start, _, rest = record["flow_id"].partition("-")
    return int(start), rest.partition("+")[2].rjust(8, "0"), record["record"]


def packets_claimed(record):
    return record["num_pkts_out"] + record.get("num_pkts_in", 0)


def next_record(left, packets):
    """Of the records of one key whose packets are the next ones of the capture. By their order, but
    where stamps jump back a record that began earlier may come later: then by its times."""
    for record in left:
        times = [packet.time_ns for packet, _ in packets[:packets_claimed(record)]]
        ends = record["time_start_ns"], record["time_end_ns"]
        if times and (min(times), max(times)) == ends:
            return record
    return left[0]


class Assignment:
    """Gives every record of a capture its packets. `problems` are sentences; `outer` counts packets
    whose innermost layer has no record, but one around it has."""

    def __init__(self, packets, records):
        self.problems = []
        self.outer = 0
        self.unmetered = 0
        self.by_key = collections.defaultdict(list)
        for record in records:
            self.by_key[key_of_record(record)].append(record)
        self.packets = collections.defaultdict(list)
        fragments = Fragments()
        for packet in packets:
            self.place(packet, fragments)

    def place(self, packet, fragments):
        sound = [layer for layer in packet.layers if not layer.fault]
        for depth, layer in enumerate(reversed(sound)):
            fragments.resolve(layer, packet.time_ns)
            key = key_of_layer(layer)
            if key in self.by_key:
                self.outer += depth > 0
                self.packets[key].append((packet, layer))
                return
        self.unmetered += bool(sound)

    def __iter__(self):
        """Yields (record, its packets in order of the capture) for what can be told."""
        for key, records in self.by_key.items():
            packets = self.packets[key]
            claimed = sum(packets_claimed(record) for record in records)
            name = f"{key[0][0]}:{key[0][1]} - {key[1][0]}:{key[1][1]} protocol {key[2]}"
            if claimed != len(packets):
                self.problems.append(f"{name}: {claimed} packets, tshark has {len(packets)}")
                continue
            at, left = 0, sorted(records, key=order_of)
            while left:
                record = next_record(left, packets[at:])
                left.remove(record)
                end = at + packets_claimed(record)
                initiator = (str(ipaddress.ip_address(record["sa"])), record["sp"] or 0)
                yield record, [Placed(packet, layer, layer.ends()[0] == initiator)
                               for packet, layer in packets[at:end]]
                at = end
