"""Holds the schemas of the files that people write and their decoders together, in both directions.

usage: document_schema_test.py DECODE_TOOL SOURCE_DIR
"""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; install python3-jsonschema and python3-yaml")
    sys.exit(77)


class CoreLoader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2's core schema does: on, off, yes and no are text."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
]:
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)
CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 0 if "x" in node.value else 10))
CoreLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def resolve(schema, root):
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        schema = {**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def branches(schema, root):
    """The schema itself and its alternatives that describe a type of their own."""
    schema = resolve(schema, root)
    found = [schema]
    for alternative in schema.get("anyOf", []):
        found += branches(alternative, root)
    return [branch for branch in found if set(branch) - {"description", "anyOf", "required"}]


def schema_keys(schema, root, path=""):
    """Paths of all properties, as the decoder writes them."""
    keys = set()
    for branch in branches(schema, root):
        for name, part in branch.get("properties", {}).items():
            key = f"{path}.{name}" if path else name
            keys |= {key} | schema_keys(part, root, key)
        for part in (branch.get("items"), branch.get("additionalProperties")):
            if isinstance(part, dict):
                keys |= schema_keys(part, root, path + "[]")
    return keys


def matching(branch_list, value):
    kinds = {dict: "object", list: "array"}
    for branch in branch_list:
        if type(value) in kinds and branch.get("type") == kinds[type(value)]:
            return branch
        if type(value) not in kinds and branch.get("type") not in ("object", "array"):
            return branch
    return {}


def positions(value, schema, root, path=()):
    """(path, value, schema) of every value of a document."""
    branch = matching(branches(schema, root), value)
    yield path, value, branch
    if isinstance(value, dict):
        for key, part in value.items():
            part_schema = branch.get("properties", {}).get(key, branch.get("additionalProperties"))
            if isinstance(part_schema, dict):
                yield from positions(part, part_schema, root, path + (key,))
    if isinstance(value, list) and isinstance(branch.get("items"), dict):
        for index, part in enumerate(value):
            yield from positions(part, branch["items"], root, path + (index,))


def changed(document, path, change):
    """A copy of the document with the value at the path replaced; the change works on its container."""
    copied = copy.deepcopy(document)
    container = copied
    for step in path[:-1]:
        container = container[step]
    change(container, path[-1])
    return copied


def mutations(document, schema):
    """Documents that each differ from a valid one in one way that must not be."""

    def put(new):
        return lambda container, key: container.__setitem__(key, new)

    def remove(container, key):
        del container[key]

    def rename(container, key):
        container["unknown" + key] = container.pop(key)

    for path, value, branch in positions(document, schema, schema):
        where = "/".join(map(str, path)) or "the document"
        for key in branch.get("required", []) if isinstance(value, dict) else []:
            yield f"{where} without {key}", changed(document, path + (key,), remove)
        if isinstance(value, dict):
            for key in value:
                if key in branch.get("properties", {}):
                    yield f"{where} with {key} renamed", changed(document, path + (key,), rename)
        if not path:
            continue
        if "enum" in branch or "const" in branch:
            yield f"{where} another word", changed(document, path, put("anotherword"))
        if "pattern" in branch:
            yield f"{where} with a control character", changed(document, path, put("a\u0001b"))
        if "maximum" in branch:
            yield f"{where} too large", changed(document, path, put(branch["maximum"] + 1))
        if "minimum" in branch:
            yield f"{where} too small", changed(document, path, put(branch["minimum"] - 1))
        yield f"{where} null", changed(document, path, put(None))
        wrong = [7] if isinstance(value, dict) else {"wrong": 7}
        yield f"{where} of another type", changed(document, path, put(wrong))
        if isinstance(value, str) and branch.get("type") == "string":
            yield f"{where} a number", changed(document, path, put(7))
        if branch.get("type") == "boolean":
            yield f"{where} a word", changed(document, path, put("yes"))


def check(tool, source, schema_name, kind, folder):
    """The failures, and a line that sums up: `tool` decodes such files, `folder` has some that use every key."""
    schema = json.loads((source / "schema" / schema_name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = []

    def by_decoder(paths):
        run = subprocess.run([*tool, *map(str, paths)], capture_output=True, text=True, check=False)
        if run.returncode not in (0, 65):
            sys.exit(f"{tool} ended with {run.returncode}: {run.stderr}")
        verdicts = [line.split(" ", 1)[0] == "valid" for line in run.stdout.splitlines()]
        assert len(verdicts) == len(paths)
        return verdicts, run.stderr

    fixtures = sorted((source / folder).glob("*.yaml"))
    examples = [path for path in sorted((source / "examples").rglob("*.yaml")) + sorted((source / "examples").rglob("*.yml"))
                if re.search(rf"^kind: *{kind}\b", path.read_text(), re.MULTILINE)]
    assert fixtures and examples
    documents = {path: yaml.load(path.read_text(), CoreLoader) for path in fixtures + examples}

    verdicts, problems = by_decoder(list(documents))
    for (path, document), valid in zip(documents.items(), verdicts):
        if not valid and "refused" not in path.parts:
            failures.append(f"{path}: refused by the decoder:\n{problems}")
        for error in validator.iter_errors(document):
            failures.append(f"{path}: refused by the schema: {error.json_path}: {error.message}")

    run = subprocess.run([*tool, "--keys", *map(str, fixtures)], capture_output=True, text=True, check=True)
    decoder, written = set(run.stdout.split()), schema_keys(schema, schema)
    failures += [f"{key}: known to the decoder, not in the schema" for key in sorted(decoder - written)]
    failures += [f"{key}: in the schema, not known to the decoder (or in no fixture)" for key in sorted(written - decoder)]

    count = 0
    with tempfile.TemporaryDirectory() as folder:
        cases = [(f"{path.name}: {name}", mutated) for path in fixtures for name, mutated in mutations(documents[path], schema)]
        files = []
        for index, (_, mutated) in enumerate(cases):
            files.append(pathlib.Path(folder) / f"{index}.yaml")
            files[-1].write_text(json.dumps(mutated, ensure_ascii=True))
        verdicts, _ = by_decoder(files)
        for (name, mutated), valid in zip(cases, verdicts):
            count += 1
            if valid:
                failures.append(f"{name}: accepted by the decoder")
            if validator.is_valid(mutated):
                failures.append(f"{name}: accepted by the schema")

    return failures, f"{schema_name}: {len(documents)} files, {len(written)} keys, {count} mutations"


def main(tool, source_dir):
    source = pathlib.Path(source_dir)
    failed = False
    for part in (([tool], source, "document.schema.json", "HostState", "tests/cases/documents"),
                 ([tool, "--limits"], source, "local.schema.json", "HostLimits", "tests/cases/limits")):
        failures, summary = check(*part)
        print("\n".join([*failures, f"{summary}, {len(failures)} failures"]))
        failed = failed or bool(failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
