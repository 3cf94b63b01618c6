"""Frames as proto/FRAME.md has them, for tests that speak to the collector themselves."""

import struct

HELLO, WELCOME, BATCH, LEDGER, ACKNOWLEDGE, REFUSE = range(1, 7)
HEADER = struct.Struct("<4sBBHIIQQQI")
HEADER_OCTETS = 48
# Schema that the body of a hello and of a batch begins with: field 1.
SCHEMA = b"\x08\x02"


def _crc_table():
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        yield octet


CRC_TABLE = tuple(_crc_table())


def crc32c(octets):
    state = 0xFFFFFFFF
    for octet in octets:
        state = CRC_TABLE[(state ^ octet) & 0xFF] ^ state >> 8
    return state ^ 0xFFFFFFFF


def frame(kind, probe_id, epoch, sequence, body=b"", records=0):
    header = HEADER.pack(b"CLWF", 1, kind, 0, len(body), records, probe_id, epoch, sequence, 0)
    return header + struct.pack("<I", crc32c(header + body)) + body


def kind_of(octets):
    return octets[5]


def frames_of(octets):
    """Kind, record count and body of each whole frame that stands in a file."""
    at = 0
    while at + HEADER_OCTETS <= len(octets):
        _, _, kind, _, length, records, *_ = HEADER.unpack_from(octets, at)
        body = octets[at + HEADER_OCTETS:at + HEADER_OCTETS + length]
        if len(body) < length:
            return
        yield kind, records, body
        at += HEADER_OCTETS + length


def probe_id(name):
    """As proto/probe_identity.h has it."""
    state = 0xCBF29CE484222325
    for octet in struct.pack("<Q", len(name)) + name.encode():
        state = (state ^ octet) * 0x100000001B3 & (1 << 64) - 1
    return state


def hello_body(name):
    return SCHEMA + bytes((0x12, len(name))) + name.encode()
