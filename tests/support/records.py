"""Records of one capture, made in two ways and held against each other."""

import subprocess

import services


def in_microseconds(record):
    """The record with its times cut to microseconds."""
    record = dict(record)
    for field in ("time_start_ns", "time_end_ns"):
        if field in record:
            record[field] //= 1000
    for field in ("time_start", "time_end"):
        record[field] = int(record[field] * 1_000_000 + 0.5)
    return record


def key(record):
    return (record["time_start_ns"], record["flow_id"], record["record"])


def in_order(records):
    return sorted((in_microseconds(record) for record in records), key=key)


def by_run(curlew, capture, folder, group, capture_filter=""):
    done = subprocess.run(
        [curlew, "run", capture, "--group", group, "--archive", folder,
         "--filter", capture_filter],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return in_order(services.records(folder))


def agree(one, other, tolerance=0):
    """Equal, but that numbers made of gaps may differ by less than the times were cut."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            agree(value, other[name], 1 if name in ("gap_us", "rtt_us") else tolerance)
            for name, value in one.items())
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= tolerance
    return one == other


def first_difference(left, right):
    """Empty where both are the same records."""
    for index, (one, other) in enumerate(zip(left, right)):
        for field in sorted(one.keys() | other.keys()):
            if not agree(one.get(field), other.get(field)):
                return f"record {index}: {field}: {one.get(field)} and {other.get(field)}"
    return "" if len(left) == len(right) else f"{len(left)} and {len(right)} records"
