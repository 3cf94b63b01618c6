"""The packets of a capture as tshark lays them out: where each protocol's header stands in a frame.

tshark names the layers and their places; the headers of IP, TCP, UDP and ICMP are then read here,
from the octets, line by line of what tshark says, in bounded memory.
"""

import collections
import ipaddress
import itertools
import json
import pathlib
import struct
import subprocess
import tempfile

from tshark import joined

# Nothing is put together again: a packet's layers are those of its own octets.
PREFERENCES = (
    "ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE",
    "ip.check_checksum:FALSE", "tcp.analyze_sequence_numbers:FALSE",
)

LAYERS = ("ip_raw", "ipv6_raw", "vxlan_raw", "geneve_raw", "radiotap_raw",
          "pppoes_raw")
# Link layers that are not metered, whatever tshark finds behind them.
NOT_METERED = {"cfp_raw"}
TCP, UDP, ICMP, IGMP, ICMP6, SCTP = 6, 17, 1, 2, 58, 132
EXTENSION_HEADERS = {0, 43, 44, 51, 60, 139, 140}


class NotLaidOut(Exception):
    """tshark does not show a frame's octets; nothing can be said of the capture."""


class Layer:
    """One IP layer of a packet, understood by itself. `fault` is set when it is no flow's."""

    def __init__(self, octets, wire_octets, network=None):
        self.fault = ""
        self.network = network  # of the VXLAN or Geneve around it
        self.more = self.later = self.fragment = self.truncated = self.malformed = False
        self.sender_port = self.receiver_port = 0
        self.sequence = self.acknowledgement = self.window = 0
        self.flags = None
        self.types = None
        try:
            read = self.read_ipv4 if octets[0] >> 4 == 4 else self.read_ipv6
            segment, segment_octets = read(octets, wire_octets)
        except (IndexError, struct.error, ipaddress.AddressValueError):
            self.fault = "header truncated"
            return
        if not self.fault:
            self.truncated = len(segment) < segment_octets
            self.read_transport(segment, segment_octets)

    def read_ipv4(self, octets, wire_octets):
        header = (octets[0] & 15) * 4
        self.octets = struct.unpack_from(">H", octets, 2)[0]
        self.unsure_length = self.octets == 0
        if self.octets == 0 and wire_octets > header:
            self.octets = wire_octets
        self.source = ipaddress.IPv4Address(octets[12:16])
        self.destination = ipaddress.IPv4Address(octets[16:20])
        if header < 20 or self.octets < header:
            self.fault = "header malformed"
        elif len(octets) < header:
            self.fault = "header truncated"
        place = struct.unpack_from(">H", octets, 6)[0]
        self.fragment, self.later = bool(place & 0x3fff), bool(place & 0x1fff)
        self.identification, self.protocol = struct.unpack_from(">H", octets, 4)[0], octets[9]
        self.time_to_live = octets[8]
        return octets[header:self.octets], self.octets - header

    def read_ipv6(self, octets, wire_octets):
        length = struct.unpack_from(">H", octets, 4)[0]
        self.unsure_length = length == 0 and octets[6] == 0
        self.octets = wire_octets if self.unsure_length else 40 + length
        self.source = ipaddress.IPv6Address(octets[8:24])
        self.destination = ipaddress.IPv6Address(octets[24:40])
        self.identification, self.protocol = 0, octets[6]
        self.time_to_live = octets[7]
        octets = octets[:self.octets]
        at = 40
        while self.protocol in EXTENSION_HEADERS and not self.later and not self.fault:
            if self.octets - at < 8:
                self.fault = "extensions malformed"
                break
            kind = self.protocol
            size = 8 if kind == 44 else (octets[at + 1] + 2) * 4 if kind == 51 \
                else (octets[at + 1] + 1) * 8
            if self.octets - at < size:
                self.fault = "extensions malformed"
            elif len(octets) - at < size:
                self.fault = "header truncated"
            self.protocol = octets[at]
            if kind == 44:
                place, self.identification = struct.unpack_from(">HI", octets, at + 2)
                self.fragment, self.later = bool(place & 0xfff9), bool(place & 0xfff8)
            at += size
        return octets[at:], self.octets - at

    def read_transport(self, segment, octets):
        """Sets the payload: its octets as captured, and how many it had by the IP length."""
        header = 0
        if self.later:
            pass
        elif self.protocol == TCP:
            header = self.read_tcp(segment, octets)
        elif self.protocol == UDP:
            header = self.read_udp(segment, octets)
        elif self.protocol == SCTP:
            self.read_ports(segment)
        elif self.protocol in (ICMP, ICMP6):
            header = 8
            self.types = tuple(segment[:2]) if len(segment) >= 2 else None
        elif self.protocol == IGMP:
            self.types = tuple(segment[:2]) if len(segment) >= 2 else None
        if header > octets:
            self.malformed, header = True, octets
        self.payload = segment[header:]
        self.payload_octets = octets - header

    def read_ports(self, segment):
        if len(segment) >= 4:
            self.sender_port, self.receiver_port = struct.unpack_from(">HH", segment)

    def read_tcp(self, segment, octets):
        self.read_ports(segment)
        if octets < 20:
            return 65536
        if len(segment) < 16:
            return 20
        header = (segment[12] >> 4) * 4
        if header < 20 or header > octets:
            return 65536
        self.sequence, self.acknowledgement = struct.unpack_from(">II", segment, 4)
        self.flags = segment[13]
        self.window = struct.unpack_from(">H", segment, 14)[0]
        return header

    def read_udp(self, segment, octets):
        self.read_ports(segment)
        if len(segment) >= 8 and not self.fragment and not self.unsure_length:
            length = struct.unpack_from(">H", segment, 4)[0]
            self.malformed = length < 8 or length > octets
        return 8

    def holds(self, inner):
        """Whether the layer inside ends within this one, by the lengths of both."""
        return bool(self.fault or inner.fault or self.fragment) or \
            inner.place + inner.octets <= self.place + self.octets

    def ends(self):
        """(sender, receiver), each (address, port)."""
        return ((str(self.source), self.sender_port), (str(self.destination), self.receiver_port))


class Packet:
    """A frame and its IP layers, outermost first."""

    def __init__(self, number, time_ns, frame_octets, layers):
        self.number = number
        self.time_ns = time_ns
        self.frame_octets = frame_octets
        self.layers = layers


def nanoseconds(text):
    whole, _, part = text.partition(".")
    return int(whole) * 1_000_000_000 + int(part.ljust(9, "0")[:9])


def check_octets(radiotap):
    """Of the frame check sequence, when the header says that it stands at the frame's end: in its
    flags, behind the words of what is present and a time stamp."""
    at, present = 4, []
    while not present or present[-1] >> 31:
        if len(radiotap) < at + 4:
            return 0
        present.append(struct.unpack_from("<I", radiotap, at)[0])
        at += 4
    if present[0] & 1:
        at = (at + 7) // 8 * 8 + 8
    return 4 if present[0] & 2 and radiotap[at] & 0x10 else 0


def snapshot_octets(capture):
    """How many octets of a frame a pcap's header allows, to which libpcap keeps and tshark not.
    None: no bound, or a capture of another kind."""
    with open(capture, "rb") as file:
        header = file.read(24)
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
             b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(header[:4])
    return struct.unpack(order + "I", header[16:20])[0] or None if order else None


def packet_of(pairs, snapshot):
    """From one packet of tshark's JSON, its members as pairs because names stand again."""
    members = dict(pairs)
    frame = dict(members["frame"])
    try:
        # A frame of no octets has no such member.
        octets = bytes.fromhex(members.get("frame_raw", [""])[0])[:snapshot]
    except ValueError:
        raise NotLaidOut(members["frame_raw"][0]) from None
    wire_octets = max(int(frame["frame.len"]), len(octets))
    layers = []
    network = None
    behind = wire_octets
    for name, value in pairs:
        if name in NOT_METERED:
            break
        if name not in LAYERS or not isinstance(value[0], str):
            continue
        place, header = value[1], bytes.fromhex(value[0])
        # A place in octets that tshark put together is none in the frame.
        if octets[place:place + len(header)] != header:
            continue
        if name == "radiotap_raw":
            wire_octets -= len(header) + check_octets(header)  # never in the frame on the air
        elif name == "pppoes_raw":
            octets = octets[:place + 6 + int.from_bytes(header[4:6], "big")]
        elif name in ("vxlan_raw", "geneve_raw"):
            network = int.from_bytes(header[4:7], "big")
        elif not layers or not layers[-1].later:  # a first fragment has the inner headers
            layer = Layer(octets[place:], behind - place, network)
            layer.place = place
            if not layers or layers[-1].holds(layer):
                layers.append(layer)
    return Packet(int(frame["frame.number"]), nanoseconds(frame["frame.time_epoch"]),
                  wire_octets, layers)


def frames_of(capture):
    """Yields tshark's JSON of each frame, its members as pairs."""
    command = ["tshark", "-n", "-r", capture, "-T", "json", "-x", "-j",
               "frame frame.number frame.time_epoch frame.len"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    with tempfile.TemporaryFile() as said, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, errors="replace") as tshark:
        lines = []
        for line in tshark.stdout:
            if line.startswith("  {"):
                lines = ["{\n"]
            elif line.startswith("  }"):
                packet = json.loads("".join(lines) + "}", object_pairs_hook=list)
                yield dict(dict(packet)["_source"])["layers"]
            else:
                lines.append(line)
        # 2 is a capture that ends in the middle, which gives what could be read.
        if tshark.wait() not in (0, 2):
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace")[-300:])


def packets_of(captures):
    """Yields (capture, its packets in their order) for each, to be used before the next. Several
    are joined for one start of tshark, their frames numbered on."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "joined.pcapng"
        counts = joined(captures, path) if len(captures) > 1 else None
        if counts is None:
            for capture in captures:
                snapshot = snapshot_octets(capture)
                yield capture, (packet_of(frame, snapshot) for frame in frames_of(capture))
            return
        frames = frames_of(path)
        for capture, count in zip(captures, counts, strict=True):
            own, snapshot = itertools.islice(frames, count), snapshot_octets(capture)
            yield capture, (packet_of(frame, snapshot) for frame in own)
            # What was left unread when a frame could not be laid out.
            collections.deque(own, maxlen=0)
        if next(frames, None) is not None:
            raise RuntimeError("tshark has more frames than were counted")
