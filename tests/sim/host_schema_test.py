"""Holds schema/host.schema.json and the decoder of host files together, in both directions.

usage: host_schema_test.py HOST_FILE_TOOL SOURCE_DIR
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; install python3-jsonschema and python3-yaml")
    sys.exit(77)


class Loader(yaml.SafeLoader):
    """Words that only YAML 1.1 reads as truth values, dates and base 60 numbers are text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":int", ":float", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if first not in "yYnNoO"
}


def number(loader, node):
    """Keeps what is no plain decimal number as text: 0x10de, 0644, 0000:41:00.0."""
    return int(node.value) if node.value.lstrip("-").isdigit() and not node.value.startswith("0") or node.value == "0" else node.value


Loader.add_constructor("tag:yaml.org,2002:int", number)
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: node.value)


def places(value, path=()):
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in children:
        yield from places(part, path + (key,))


def changed(document, path, new):
    copied = copy.deepcopy(document)
    container = copied
    for step in path[:-1]:
        container = container[step]
    container[path[-1]] = new
    return copied


def mutations(document):
    """Documents that each differ from a valid one in one way that must not be."""
    for path, value in places(document):
        where = "/".join(map(str, path)) or "the document"
        if isinstance(value, dict):
            yield f"{where} with an unknown key", changed(document, path + ("zzz",), [7])
        if path:
            yield f"{where} of another type", changed(document, path, 7 if isinstance(value, list) else [7])
            yield f"{where} null", changed(document, path, None)


def main(tool, source_dir):
    source = pathlib.Path(source_dir)
    schema = json.loads((source / "schema/host.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = []

    def by_decoder(folder, paths):
        run = subprocess.run([tool, str(folder), *map(str, paths)], capture_output=True, text=True, check=True)
        verdicts = [line == "valid" for line in run.stdout.splitlines()]
        assert len(verdicts) == len(paths)
        return verdicts, run.stderr

    with tempfile.TemporaryDirectory() as name:
        written = pathlib.Path(name) / "written"
        written.mkdir()
        hosts = sorted((source / "examples/hosts").glob("*.yaml")) + [source / "tests/sim/every_form.yaml"]
        verdicts, problems = by_decoder(written, hosts)
        if not all(verdicts):
            failures.append(f"refused by the decoder:\n{problems}")
        for path in hosts + sorted(written.glob("*.yaml")):
            for error in validator.iter_errors(yaml.load(path.read_text(), Loader)):
                failures.append(f"{path}: refused by the schema: {error.json_path}: {error.message}")

        document = yaml.load((source / "tests/sim/every_form.yaml").read_text(), Loader)
        cases = list(mutations(document))
        files = []
        for index, (_, mutated) in enumerate(cases):
            files.append(pathlib.Path(name) / f"{index}.yaml")
            files[-1].write_text(json.dumps(mutated))
        verdicts, _ = by_decoder(name, files)
        for (what, mutated), valid in zip(cases, verdicts):
            if valid:
                failures.append(f"{what}: accepted by the decoder")
            if validator.is_valid(mutated):
                failures.append(f"{what}: accepted by the schema")

    print("\n".join(failures))
    print(f"{len(hosts)} hosts, {len(cases)} mutations, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
