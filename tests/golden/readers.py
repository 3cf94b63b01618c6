#!/usr/bin/env python3
"""pandas, jq, SQLite and ClickHouse read a dataset of preset curlew as it is, and agree.

usage: readers.py CURLEW

Counts and sums of the same records by four programs, each asked in its own way of the file that
`curlew run` wrote. Plain Python says what is right.
"""

import collections
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures  # noqa: E402
import clickhouse  # noqa: E402
from results import Results  # noqa: E402

SUMMED = ("num_pkts_out", "num_pkts_in", "bytes_out", "bytes_in", "octets_out", "octets_in")
# Sums of these are rounded: each program adds in its own order.
REAL_SUMS = ("entropy", "time_start")


class Answer(dict):
    """Of one reader: `records`, a sum for each field of SUMMED, `latest_ns`, `without_port`,
    `listed` entries of packet lists, `labels` and `protocols` {name: records}, `rounded` sums."""


def by_python(lines):
    records = [json.loads(line) for line in lines]
    answer = Answer({name: sum(r.get(name, 0) for r in records) for name in SUMMED})
    answer.update(
        records=len(records), latest_ns=max(r["time_end_ns"] for r in records),
        without_port=sum(r["sp"] is None for r in records),
        listed=sum(len(r["packets"]) for r in records),
        labels=dict(collections.Counter(r["label"]["type"] for r in records)),
        protocols=dict(collections.Counter(str(r["pr"]) for r in records)),
        rounded={name: sum(r.get(name, 0.0) for r in records) for name in REAL_SUMS})
    return answer


def by_pandas(path):
    import pandas

    frame = pandas.read_json(path, lines=True, convert_dates=False, dtype=False)
    answer = Answer({name: int(frame[name].sum()) for name in SUMMED})
    labels = pandas.json_normalize(frame["label"])["type"].value_counts()
    answer.update(
        records=len(frame), latest_ns=int(frame["time_end_ns"].max()),
        without_port=int(frame["sp"].isna().sum()), listed=int(frame["packets"].str.len().sum()),
        labels={name: int(count) for name, count in labels.items()},
        protocols={str(name): int(n) for name, n in frame["pr"].value_counts().items()},
        rounded={name: float(frame[name].sum()) for name in REAL_SUMS})
    return answer


# Numbers of jq 1.6 are doubles: a time in ns is told by its text, cut to microseconds.
JQ = """
reduce inputs as $r ({records: 0, latest_us: 0, without_port: 0, listed: 0, labels: {},
                      protocols: {}, rounded: {}};
    .records += 1
    | reduce (SUMMED)[] as $name (.; .[$name] += ($r[$name] // 0))
    | reduce (REAL)[] as $name (.; .rounded[$name] += ($r[$name] // 0))
    | .latest_us = ([.latest_us, ($r.time_end_ns / 1000 | floor)] | max)
    | .without_port += (if $r.sp == null then 1 else 0 end)
    | .listed += ($r.packets | length)
    | .labels[$r.label.type] += 1
    | .protocols[$r.pr | tostring] += 1)
"""


def by_jq(path):
    program = JQ.replace("SUMMED", json.dumps(SUMMED)).replace("REAL", json.dumps(REAL_SUMS))
    done = subprocess.run(["jq", "-n", "-c", program, path], capture_output=True, text=True,
                          check=True)
    return Answer(json.loads(done.stdout))


def by_sqlite(lines):
    with sqlite3.connect(":memory:") as base:
        base.execute("CREATE TABLE records (record TEXT CHECK (json_valid(record)))")
        base.executemany("INSERT INTO records VALUES (?)", ((line,) for line in lines))
        sums = ", ".join(f"coalesce(sum(json_extract(record, '$.{name}')), 0)"
                         for name in (*SUMMED, *REAL_SUMS))
        row = base.execute(f"""SELECT count(*), max(json_extract(record, '$.time_end_ns')),
            sum(json_extract(record, '$.sp') IS NULL),
            sum(json_array_length(record, '$.packets')), {sums} FROM records""").fetchone()
        answer = Answer(zip(("records", "latest_ns", "without_port", "listed", *SUMMED), row))
        answer["rounded"] = dict(zip(REAL_SUMS, row[4 + len(SUMMED):]))
        for name, path in (("labels", "$.label.type"), ("protocols", "$.pr")):
            counted = base.execute("SELECT CAST(json_extract(record, ?) AS TEXT), count(*) "
                                   "FROM records GROUP BY 1", (path,))
            answer[name] = dict(counted.fetchall())
    return answer


# Of ClickHouse 18.16: a member of an object is the column `object.member`; what the table does not
# have is passed over. The lines as they are stand in a second table, for what lies deeper.
TABLE = ", ".join([
    "sa String", "da String", "pr UInt8", "sp Nullable(UInt16)", "dp Nullable(UInt16)",
    *(f"{name} UInt64" for name in SUMMED), "time_start Float64", "time_end_ns UInt64",
    "entropy Float64", "`label.type` String", "flow_id String", "quality Array(String)"])


def by_clickhouse(octets, folder):
    with clickhouse.Server(folder) as server:
        server.ask(f"CREATE TABLE records ({TABLE}) ENGINE = Memory")
        server.ask("INSERT INTO records FORMAT JSONEachRow", octets,
                   input_format_skip_unknown_fields=1, input_format_import_nested_json=1)
        server.ask("CREATE TABLE lines (line String) ENGINE = Memory")
        server.ask("INSERT INTO lines FORMAT CSV", octets, format_csv_delimiter="\x01")

        def rows(query):
            return json.loads(server.ask(f"{query} FORMAT JSONCompact",
                                         output_format_json_quote_64bit_integers=0))["data"]

        sums = ", ".join(f"sum({name})" for name in (*SUMMED, *REAL_SUMS))
        row = rows(f"SELECT count(), max(time_end_ns), countIf(isNull(sp)), {sums} FROM records")[0]
        answer = Answer(zip(("records", "latest_ns", "without_port", *SUMMED), row))
        answer["rounded"] = dict(zip(REAL_SUMS, row[3 + len(SUMMED):]))
        answer["labels"] = dict(rows("SELECT label.type, count() FROM records GROUP BY label.type"))
        answer["protocols"] = dict(rows("SELECT toString(pr), count() FROM records GROUP BY pr"))
        answer["listed"] = rows("""SELECT sum(length(splitByString('"ipt":',
            visitParamExtractRaw(line, 'packets'))) - 1) FROM lines""")[0][0]
    return answer


def differences(right, answer):
    if "latest_us" in answer:
        right = {**right, "latest_us": right["latest_ns"] // 1000}
    for name, value in answer.items():
        if name == "rounded":
            for field, total in value.items():
                if abs(total - right[name][field]) > 1e-9 * abs(right[name][field]):
                    yield f"sum of {field}: {total}, not {right[name][field]}"
        elif value != right[name]:
            yield f"{name}: {value}, not {right[name]}"
    missing = right.keys() - answer.keys() - {"latest_ns", "latest_us"}
    if missing:
        yield f"no answer on {', '.join(sorted(missing))}"


def installed(name):
    if name == "jq":
        return shutil.which("jq") is not None
    if name == "clickhouse":
        return clickhouse.program() is not None
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def dataset_octets(curlew, folder):
    """A dataset of the generated captures together, so that the test has its own material."""
    octets = b""
    for scenario in ("gateway-boot", "camera-minutes"):
        capture = folder / f"{scenario}.pcap"
        subprocess.run([curlew, "traffic", scenario, "-o", capture], check=True,
                       capture_output=True)
        octets += dataset_of(curlew, capture, folder)
    for capture in captures.of_public(40)[:12]:
        octets += dataset_of(curlew, capture, folder)
    return octets


def dataset_of(curlew, capture, folder):
    done = subprocess.run([curlew, "run", capture, "--archive", folder / "archive", "--json"],
                          capture_output=True, text=True, check=True)
    return pathlib.Path(json.loads(done.stdout)["files"][0]).read_bytes()


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        octets = dataset_octets(curlew, folder)
        path = folder / "records.json"
        path.write_bytes(octets)
        lines = octets.decode().splitlines()
        right = by_python(lines)
        readers = {
            "pandas": lambda: by_pandas(path), "jq": lambda: by_jq(path),
            "sqlite3": lambda: by_sqlite(lines),
            "clickhouse": lambda: by_clickhouse(octets, folder / "clickhouse"),
        }
        for reader, ask in readers.items():
            if not installed(reader):
                results.skip(f"{reader} reads a dataset", "it is not installed")
                continue
            try:
                wrong = list(differences(right, ask()))
            except (RuntimeError, ValueError, KeyError, sqlite3.Error,
                    subprocess.CalledProcessError) as error:
                wrong = [f"{type(error).__name__}: {error}"[:600]]
            results.check(f"{reader} reads a dataset", not wrong, "; ".join(wrong)[:800])
    print(f"{right['records']} records, {right['listed']} listed packets, read by "
          f"{', '.join(readers)}")
    results.exit()


if __name__ == "__main__":
    main()
