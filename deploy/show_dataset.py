"""Shows where the datasets of a `curlew run --json` lie, and the first record's main fields."""

import json
import pathlib
import subprocess
import sys

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


def main():
    result = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    if isinstance(result, list):
        result = result[0]
    files = [pathlib.Path(name) for name in result["files"]]
    datasets = [path for path in files if not path.name.endswith(".manifest.json")]
    for path in datasets:
        print(f"\ndataset: {path}")
        record = shown_record(path)
        if record is None:
            print("  it holds no record")
            continue
        print("  one of its records:")
        for field in FIELDS:
            if record.get(field) is not None:
                print(f"  {field:>14}  {show(record[field])}")
    return 0 if datasets else 1


if __name__ == "__main__":
    sys.exit(main())
