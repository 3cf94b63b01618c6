"""collector/record.schema.json for tests: its validator by field set, and its fields one by one."""

import json

from results import ROOT

SCHEMA = ROOT / "collector" / "record.schema.json"
INHERITED = ("x-layer", "x-role", "x-sets")
ROLES = {"feature", "identifier", "time", "label", "label-evidence", "provenance", "quality"}
SETS = ["slim", "standard", "full"]


def load():
    with open(SCHEMA, encoding="utf-8") as file:
        return json.load(file)


def of_set(node, field_set):
    """The schema with what the field set has not taken out, and so forbidden."""
    if isinstance(node, list):
        return [of_set(one, field_set) for one in node]
    if not isinstance(node, dict):
        return node
    node = {name: of_set(one, field_set) for name, one in node.items()}
    for name, one in list(node.get("properties", {}).items()):
        if isinstance(one, dict) and field_set not in one.get("x-sets", [field_set]):
            del node["properties"][name]
    return node


def validator(field_set):
    """Of Debian's python3-jsonschema. Raises ImportError where that is not installed."""
    import jsonschema

    schema = of_set(load(), field_set)
    # These 256 numbers take most of the time; problems() looks at them by itself.
    if "byte_dist" in schema["properties"]:
        schema["properties"]["byte_dist"] = {"type": "array"}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def problems(of, record):
    """A sentence for each way in which the record is not valid."""
    for error in of.iter_errors(record):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"{place or 'record'}: {error.message[:200]}"
    counts = record.get("byte_dist")
    if counts is not None and not (len(counts) == 256 and
                                   all(type(count) is int and count >= 0 for count in counts)):
        yield "byte_dist: not 256 counts"


def inherited(node):
    """What members have from the object they stand in, unless they say otherwise."""
    words = {word: node[word] for word in INHERITED if word in node}
    if node.get("x-joy") == "not in Joy":
        words["x-joy"] = node["x-joy"]
    return words


def resolved(schema, node):
    """The node with what its $ref leads to, its own words first."""
    if "$ref" in node:
        target = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return {**resolved(schema, target), **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def fields(schema, node=None, path="", above=None):
    """Yields (path, node) of every member below the node, depth first, `packets[].b` and the like.
    A node has what it inherits. What a $ref leads to stands under its own name: see definitions."""
    node = schema if node is None else node
    above = above or {}
    for name, member in node.get("properties", {}).items():
        own = {**inherited(above), **member}
        at = f"{path}.{name}" if path else name
        yield at, own
        while own.get("type") == "array" and "items" in own:
            at += "[]"
            own = {**own, "type": None, **own["items"]}
        if own.get("type") == "object":
            yield from fields(schema, own, at, own)


def definitions(schema):
    """Yields (name, places, node) of each shape that several fields have, with what it inherits of
    the first place."""
    places = {name: [] for name in schema["$defs"]}
    above = {}

    def note(node, path, inherited):
        target = node.get("$ref", node.get("items", {}).get("$ref", "")).rpartition("/")[2]
        if target:
            places[target].append(path)
            above.setdefault(target, inherited)

    for path, node in fields(schema):
        note(node, path, node)
    waiting = [name for name in places if places[name]]
    done = set()
    while waiting:
        name = waiting.pop(0)
        if name in done:
            continue
        done.add(name)
        node = shape_of(schema["$defs"][name], above[name])
        for path, member in fields(schema, node, name, node):
            note(member, path, member)
        waiting += [other for other in places if places[other] and other not in done]
    for name in schema["$defs"]:
        yield name, places[name], shape_of(schema["$defs"][name], above.get(name, {}))


def shape_of(definition, above):
    node = {**inherited(above), **definition}
    return {**node, "type": "object", **node["items"]} if node.get("type") == "array" else node
