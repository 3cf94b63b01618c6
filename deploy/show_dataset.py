"""Shows where a dataset lies, and the main fields of one of its records."""

import json
import subprocess

FIELDS = (
    "sa", "da", "pr", "sp", "dp", "time_start", "time_end",
    "bytes_out", "num_pkts_out", "bytes_in", "num_pkts_in", "flow_type", "label",
)


def shown_record(path):
    """The first record that was recognised by its content, else the first one."""
    first = None
    if path.suffix == ".zst":
        command = ["zstd", "-dcq", "--", str(path)]
    else:
        command = ["cat", "--", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        for line in reader.stdout:
            record = json.loads(line)
            first = first or record
            if record["label"]["type"] != "unknown":
                reader.terminate()
                return record
    return first


def show(value):
    """One field on one line; of a label only what it says, not what it rests on."""
    if isinstance(value, dict):
        said = {key: item for key, item in value.items()
                if item and isinstance(item, str) and key != "ruleset"}
        return ", ".join(f"{key} {item}" for key, item in said.items())
    return value


def show_dataset(path):
    """Where it lies, and what one record of it says."""
    print(f"\ndataset: {path}")
    record = shown_record(path)
    if record is None:
        print("  it holds no record")
        return
    print("  one of its records:")
    for field in FIELDS:
        if record.get(field) is not None:
            print(f"  {field:>14}  {show(record[field])}")
