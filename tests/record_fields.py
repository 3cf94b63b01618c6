#!/usr/bin/env python3
"""The tables of collector/DATASET.md say what collector/record.schema.json says, in the same order.

usage: record_fields.py [--write]

The schema is where a field is described; --write puts the page's tables in line with it. Every
field has a type, a meaning, a layer, a role and sets; those that may be left out say when.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
import record_schema  # noqa: E402
from results import ROOT, Results  # noqa: E402

PAGE = ROOT / "collector" / "DATASET.md"
BEGIN = "<!-- From record.schema.json, by tests/record_fields.py --write. -->"
END = "<!-- To here. -->"
COLUMNS = ("field", "type", "meaning", "absent when", "layer", "source", "against Joy", "role")


def type_of(schema, node):
    """`integer`, `text`, `list of text`; with the unit."""
    node = {**node, **record_schema.resolved(schema, node)}
    names = node.get("type", "")
    names = names if isinstance(names, list) else [names]
    text = " or ".join({"string": "text", "array": "list", "number": "real"}.get(n, n)
                       for n in names)
    if names == ["array"]:
        text = f"list of {type_of(schema, node['items'])}"
    if node.get("enum"):
        text += ": " + ", ".join(f"`{one}`" for one in node["enum"])
    unit = node.get("x-unit")
    return f"{text}, {unit}" if unit else text


def meaning_of(node):
    target = node.get("$ref", node.get("items", {}).get("$ref", "")).rpartition("/")[2]
    shape = f"as *{target}*" if target and target != "histogram" else ""
    return ": ".join(part for part in (node.get("description", ""), shape) if part)


def row(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def field_rows(schema, found):
    for path, node in found:
        joy = node.get("x-joy", "")
        nested = "." in path
        yield row((f"`{path}`", type_of(schema, node), meaning_of(node), node.get("x-absent", ""),
                   "" if nested else node["x-layer"], node.get("x-source", ""),
                   "" if nested and joy == "not in Joy" else joy, node["x-role"]))


def head(columns):
    return [row(columns), "|" + "---|" * len(columns)]


def set_rows(schema):
    """One row for all fields that have the same sets, bound and memory."""
    alike = {}
    for name, node in schema["properties"].items():
        marks = ("x" if one in node["x-sets"] else "" for one in record_schema.SETS)
        facts = (*marks, node.get("x-bound", ""), node.get("x-memory") or "")
        alike.setdefault(facts, []).append(f"`{name}`")
    for facts, names in alike.items():
        yield row((", ".join(names), *facts))


def tables(schema):
    lines = [BEGIN, "", *head(COLUMNS), *field_rows(schema, record_schema.fields(schema)), ""]
    for name, places, node in record_schema.definitions(schema):
        if node.get("type") != "object" or "properties" not in node:
            continue
        lines += [f"*{name}*, of {', '.join(f'`{place}`' for place in places)}:", "",
                  *head(COLUMNS),
                  *field_rows(schema, record_schema.fields(schema, node, "", node)), ""]
    lines += ["Sets, bounds, and octets of the probe's memory for each of these fields:", "",
              *head(("field", *record_schema.SETS, "bound", "memory")), *set_rows(schema)]
    lines += ["", "`ip.out.id` and `ip.in.id` are in full alone.", "", END]
    return lines


def with_tables(page, lines):
    first, last = page.index(BEGIN), page.index(END)
    return page[:first] + lines + page[last + 1:]


def check_fields(results, schema):
    shapes = [("", record_schema.fields(schema))]
    shapes += [(f"{name}: ", record_schema.fields(schema, node, "", node))
               for name, _, node in record_schema.definitions(schema)]
    for prefix, found in shapes:
        for path, node in found:
            whole = {**record_schema.resolved(schema, node), **node}
            missing = [word for word in ("x-layer", "x-role", "x-sets") if not node.get(word)]
            missing += ["type"] if "type" not in whole else []
            results.check(f"{prefix}{path} is described", not missing, ", ".join(missing))
            results.check(f"{prefix}{path}: role", node.get("x-role") in record_schema.ROLES)


def check_objects(results, node, path, required_by_parent=()):
    """Every object is closed, and says when a member that it does not require is left out."""
    if isinstance(node, list):
        for one in node:
            check_objects(results, one, path)
        return
    if not isinstance(node, dict):
        return
    if node.get("type") == "object":
        results.check(f"{path}: closed", node.get("additionalProperties") is False)
        for name, member in node.get("properties", {}).items():
            told = name in node.get("required", ()) or "x-absent" in member
            results.check(f"{path}.{name}: says when it is absent", told)
            results.check(f"{path}.{name}: always there, or absent at times",
                          not (name in node.get("required", ()) and "x-absent" in member))
    for name, member in node.items():
        check_objects(results, member, f"{path}/{name}")


def check_version(results, schema):
    """Manifests name the schema that records are valid by."""
    header = (ROOT / "collector" / "record_writer.h").read_text(encoding="utf-8")
    results.check("record_writer.h names the schema's version",
                  f"kRecordSchema = {schema['x-version']};" in header)


def main():
    results = Results()
    schema = record_schema.load()
    check_version(results, schema)
    check_fields(results, schema)
    check_objects(results, {k: v for k, v in schema.items() if k not in ("allOf",)}, "")
    for name, places, _ in record_schema.definitions(schema):
        results.check(f"{name} is used", bool(places))
    page = PAGE.read_text(encoding="utf-8").split("\n")
    wanted = with_tables(page, tables(schema))
    if "--write" in sys.argv[1:]:
        PAGE.write_text("\n".join(wanted), encoding="utf-8")
        page = wanted
    for number, (have, want) in enumerate(zip(page, wanted), 1):
        if have != want:
            print(f"{PAGE.name}:{number}: {have[:120]}\n  should be {want[:120]}")
            break
    results.check("DATASET.md's tables are the schema's", page == wanted,
                  "tests/record_fields.py --write puts them in line")
    results.exit()


if __name__ == "__main__":
    main()
