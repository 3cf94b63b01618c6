#!/usr/bin/env python3
"""What tshark finds of names and modes in captures, and what share of it our records have.

usage: tshark_metadata.py CURLEW [--all] [CAPTURE...]

DNS questions and answers, names of mDNS, TLS server names, HTTP hosts and methods, DHCP host
names, ST and NT of SSDP, NTP modes: as multisets for each capture. Every value that tshark has and
no record has is printed with its frame and what is odd about that. At least 99.5 % of all must be
there, and with --all (or CURLEW_ALL_CAPTURES=1) of each kind. What is no value of a flow, or is its
value said again, is set apart: each reason is printed with how many there are, and how many of them
our records have nevertheless.
"""

import collections
import concurrent.futures
import pathlib
import re
import shutil
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import captures  # noqa: E402
import tshark  # noqa: E402
from results import Results  # noqa: E402

SHARE = 0.995
QUOTATION = "in the quotation of an ICMP error"
RETRANSMISSION = "said again by a TCP retransmission"
SECOND_HELLO = "server name that a connection's second hello says again (RFC 8446 section 4.1.2)"
FRAGMENTS = "in an IP packet put together of fragments, of which records have the first alone"
NO_NAMES = {"<name too long>", "<unknown extended label>", "<name contains a pointer that loops>"}
OWN_WORDS = "tshark's own words in place of a name that cannot be read"
DATASETS_SAMPLE, PUBLIC_SAMPLE = 6, 40  # one in so many
BETWEEN = "\x1f"  # values of one field

ANSWERS = {
    "a": "dns.a", "aaaa": "dns.aaaa", "cname": "dns.cname", "ptr": "dns.ptr.domain_name",
    "srv": "dns.srv.target", "txt": "dns.txt", "ns": "dns.ns", "mx": "dns.mx.mail_exchange",
}
FIELDS = ["frame.protocols", "frame.len", "frame.cap_len", "ip.flags.mf",
          "ip.frag_offset", "ip.fragment.count", "ipv6.fragment.count", "tcp.stream", "udp.stream",
          "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.lost_segment",
          "dns.qry.name", "dns.resp.name", *ANSWERS.values(),
          "tls.handshake.extensions_server_name", "http.host", "http.request.method",
          "http.unknown_header", "dhcp.option.hostname", "ntp.flags.mode"]

ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v"))


def unescaped(value):
    """tshark shows octets without a sign as letters or three octal digits behind a backslash."""
    return re.sub(r"\\([0-3][0-7]{2}|[abfnrtv])",
                  lambda found: ESCAPES.get(found[1]) or chr(int(found[1], 8)), value)


def tshark_rows(capture):
    """Yields (number, values by field) of each frame, streams put together as tshark does."""
    shown = tshark.lines_of(capture, FIELDS, ("-E", f"aggregator={BETWEEN}"), preferences=())
    for number, values in shown:
        yield number, {field: [unescaped(one) for one in value.split(BETWEEN)] if value else []
                       for field, value in zip(FIELDS, values)}


def name_form(name):
    """One spelling for names: tshark says <Root> where others say nothing."""
    return "" if name in ("<Root>", ".") else name.rstrip(".").lower()


def skeleton(value):
    """The value with what is not ASCII reduced to a mark. tshark shows octets that are no UTF-8 as
    U+FFFD, our records as the code points of their values."""
    return re.sub(r"[^\x00-\x7f]+", "?", value)


def header_values(lines, *names):
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() in names:
            yield f"{name.strip().lower()} {value.strip()}"


def values_of(row, protocols):
    """Yields (kind, value) of one packet as tshark has it."""
    if "mdns" in protocols:
        for name in row["dns.qry.name"] + row["dns.resp.name"]:
            yield "mdns name", name_form(name)
    elif "dns" in protocols or "llmnr" in protocols:
        for name in row["dns.qry.name"]:
            yield "dns question", name_form(name)
        for member, field in ANSWERS.items():
            for value in row[field]:
                yield f"dns answer {member}", value if member == "txt" else name_form(value)
    if "quic" not in protocols:
        for name in row["tls.handshake.extensions_server_name"]:
            yield "tls sni", name
    else:
        for name in row["tls.handshake.extensions_server_name"]:
            yield "quic sni", name
    if "ssdp" in protocols:
        for value in header_values(row["http.unknown_header"], "st", "nt"):
            yield "ssdp st, nt", value
    elif "http" in protocols:
        for host in row["http.host"]:
            yield "http host", host
        for method in row["http.request.method"]:
            yield "http method", method
    for name in row["dhcp.option.hostname"]:
        yield "dhcp host name", name
    for mode in row["ntp.flags.mode"]:
        yield "ntp mode", mode


def oddities(row, protocols):
    """What about a frame may be the cause that a value of it is not ours."""
    def first(field):
        return row[field][0] if row[field] else ""

    odd = []
    odd += ["malformed to tshark"] * ("_ws.malformed" in protocols)
    odd += ["captured in part"] * (first("frame.len") != first("frame.cap_len"))
    odd += ["IP fragment"] * (first("ip.flags.mf") == "1" or first("ip.frag_offset") not in
                              ("", "0"))
    odd += ["segment lost before"] * bool(row["tcp.analysis.lost_segment"])
    odd += ["out of order"] * bool(row["tcp.analysis.out_of_order"])
    carriers = [p for p in protocols if p in ("gre", "vxlan", "gtp", "geneve", "teredo", "mpls",
                                              "pppoes", "erspan", "wlan", "l2tp", "socks", "ppp")]
    odd += [f"over {carrier}" for carrier in carriers]
    odd += ["over TCP"] * ("tcp" in protocols)
    return ", ".join(odd)


def is_quotation(protocols):
    return any(inner in protocols[protocols.index(outer):]
               for outer, inner in (("icmp", "ip"), ("icmpv6", "ipv6")) if outer in protocols)


def stream_of(row):
    """The innermost connection's number: what QUIC says again has no mark of its own."""
    return row["tcp.stream"][-1:] + row["udp.stream"][-1:]


def set_apart(row, protocols, kind, value, said):
    """Why a value is none of a flow, or nothing. `said`: what streams have said before."""
    again = (*stream_of(row), kind, value) in said
    if is_quotation(protocols):
        return QUOTATION
    if again and row["tcp.analysis.retransmission"]:
        return RETRANSMISSION
    if again and kind in ("tls sni", "quic sni"):
        return SECOND_HELLO
    if row["ip.fragment.count"] or row["ipv6.fragment.count"]:
        return FRAGMENTS
    return OWN_WORDS if value in NO_NAMES else None


def from_tshark(capture):
    """{(kind, value): [(frame, oddities), ...]}, {(reason, kind, value): count}"""
    found = collections.defaultdict(list)
    apart = collections.Counter()
    said = set()
    for number, row in tshark_rows(capture):
        protocols = row["frame.protocols"][0].split(":") if row["frame.protocols"] else []
        for kind, value in values_of(row, protocols):
            reason = set_apart(row, protocols, kind, value, said)
            if stream_of(row) and reason != QUOTATION:
                said.add((*stream_of(row), kind, value))
            if reason:
                apart[reason, kind, value] += 1
            else:
                found[kind, value].append((number, oddities(row, protocols)))
    return found, apart


def questions_of(message):
    if "questions" in message:
        return [question["name"] for question in message["questions"]]
    return [message[name] for name in ("qn", "rn") if name in message]


def resources_of(message):
    return message.get("rr", []) + message.get("ns", []) + message.get("ar", [])


def answer_values(member, resource):
    value = resource.get(member)
    if value is None:
        return []
    if member == "srv":
        return [name_form(value["target"])]
    if member == "mx":
        return [name_form(value["exchange"])]
    if member == "txt":
        return [text.partition("\0")[0] for text in value]  # tshark shows no more of a text
    return [name_form(value)]


def values_of_record(record):
    for message in record.get("mdns", []):
        for name in questions_of(message) + [one["name"] for one in resources_of(message)]:
            yield "mdns name", name_form(name)
    for message in record.get("dns", []) + record.get("llmnr", []):
        for name in questions_of(message):
            yield "dns question", name_form(name)
        for resource in resources_of(message):
            for member in ANSWERS:
                for value in answer_values(member, resource):
                    yield f"dns answer {member}", value
    if "sni" in record.get("tls", {}):
        yield "tls sni", record["tls"]["sni"]
    if "sni" in record.get("quic", {}):
        yield "quic sni", record["quic"]["sni"]
    for message in record.get("http", []):
        yield from (("http host", message["host"]) for _ in range("host" in message))
        yield from (("http method", message["method"]) for _ in range("method" in message))
    for message in record.get("dhcp", []):
        if "host_name" in message:
            yield "dhcp host name", message["host_name"]
    for message in record.get("ssdp", []):
        for name in ("st", "nt"):
            if name in message:
                yield "ssdp st, nt", f"{name} {message[name]}"
    for message in record.get("ntp", []):
        yield "ntp mode", str(message["mode"])


def compare(capture, dataset):
    """(name, {kind or reason: [tshark's, found]}, [misses as text])"""
    theirs, apart = from_tshark(capture)
    ours = collections.Counter()
    for record in captures.records_in(dataset):
        ours.update(values_of_record(record))
    in_marks = collections.Counter()
    for (kind, value), count in ours.items():
        in_marks[kind, skeleton(value)] += count
    totals = collections.defaultdict(lambda: [0, 0])
    misses = []
    for (kind, value), frames in sorted(theirs.items()):
        lossy = "\ufffd" in value
        have = in_marks[kind, skeleton(value)] if lossy else ours[kind, value]
        found = min(len(frames), have)
        totals[kind][0] += len(frames)
        totals[kind][1] += found
        ours[kind, value] -= found
        if found < len(frames):
            frame, odd = frames[-1]
            misses.append(f"{kind} {value[:80]!r}: {len(frames) - found} of {len(frames)} missing, "
                          f"frame {frame}{': ' if odd else ''}{odd}")
    for (reason, kind, value), count in apart.items():
        found = min(count, max(0, ours[kind, value]))
        ours[kind, value] -= found
        totals[f"(apart) {reason}"][0] += count
        totals[f"(apart) {reason}"][1] += found
    return captures.short_name(capture), dict(totals), misses


def safely(arguments):
    try:
        return compare(*arguments)
    except Exception:  # in a process of a pool: told as this capture's failure
        return captures.short_name(arguments[0]), None, ["ERROR " + traceback.format_exc()[-400:]]


def check_shares(results, totals, whole):
    counted = {kind: pair for kind, pair in totals.items() if not kind.startswith("(")}
    for kind, (theirs, found) in sorted(totals.items()):
        print(f"{kind:<20} {found:>7} of {theirs:>7}  {found / theirs:8.3%}")
        if whole and kind in counted:
            results.check(f"{kind}: share", found >= SHARE * theirs, f"{found} of {theirs}")
    theirs = sum(pair[0] for pair in counted.values())
    found = sum(pair[1] for pair in counted.values())
    if results.check("values to find", theirs > 0):
        results.check("all values: share", found >= SHARE * theirs,
                      f"{found} of {theirs}, {found / theirs:.3%}")


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    named = [pathlib.Path(one).resolve() for one in sys.argv[2:] if not one.startswith("--")]
    whole = captures.all_wanted(sys.argv[2:])
    results = Results()
    chosen = named or captures.of_datasets(1 if whole else DATASETS_SAMPLE) + \
        captures.of_public(1 if whole else PUBLIC_SAMPLE, wireless=True)
    if shutil.which("tshark") is None or not chosen:
        results.skip("values of tshark", "tshark or the shared captures are not there")
        results.exit()
    totals = collections.defaultdict(lambda: [0, 0])
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ProcessPoolExecutor() as pool:
        datasets, refused = captures.run_all(curlew, chosen, pathlib.Path(folder))
        results.check("captures to read", len(datasets) > 0, str(refused)[:300])
        for name, counted, said in pool.map(safely, datasets.items(), chunksize=2):
            results.check(name, not (said and said[0].startswith("ERROR")), "".join(said[:1]))
            for line in said if counted is not None else []:
                print(f"{name}: {line}")
            for kind, (theirs, found) in (counted or {}).items():
                totals[kind][0] += theirs
                totals[kind][1] += found
    check_shares(results, totals, whole)
    print(f"{len(chosen)} captures, {len(refused)} refused by curlew")
    results.exit()


if __name__ == "__main__":
    main()
