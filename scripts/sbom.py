#!/usr/bin/env python3
"""Says what the released binary is made of: an SBOM (CycloneDX 1.6, JSON) and the licences of it all.

  scripts/sbom.py --sbom gatelatch.cdx.json --licences THIRD-PARTY.md [--target x86_64-unknown-linux-gnu]

It reads `cargo metadata --locked` for one target, follows the dependencies that are linked (no tests, no build scripts),
takes the digests from Cargo.lock, and adds the files that are embedded under assets/. Its output depends on the source
alone: the same tree gives the same bytes.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
# what is embedded besides crates: the folder under assets/, and what its README says it is
EMBEDDED = {"swagger-ui": ("swagger-ui-dist", "Apache-2.0", "pkg:npm/swagger-ui-dist@{}")}
LICENCE_FILES = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|UNLICENSE)", re.IGNORECASE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="x86_64-unknown-linux-gnu", help="whose dependencies")
    parser.add_argument("--sbom", type=pathlib.Path, help="where to write the SBOM")
    parser.add_argument("--licences", type=pathlib.Path, help="where to write the licences")
    wanted = parser.parse_args()
    metadata = read_metadata(wanted.target)
    packages, edges, root = linked(metadata)
    if wanted.sbom:
        document = sbom(packages, edges, root, digests())
        wanted.sbom.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if wanted.licences:
        wanted.licences.write_text(licences(packages, root))


def read_metadata(target):
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def linked(metadata):
    """The packages that end up in the binary, what each of them needs, and the id of the root."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    macros = {package["id"] for package in metadata["packages"]
              if any("proc-macro" in target["kind"] for target in package["targets"])}
    root = metadata["resolve"]["root"]
    edges, todo = {}, [root]
    while todo:
        current = todo.pop()
        if current in edges:
            continue
        # a macro runs in the compiler, and is in no binary
        edges[current] = sorted({dep["pkg"] for dep in nodes[current]["deps"] if dep["pkg"] not in macros
                                 and any(kind["kind"] is None for kind in dep["dep_kinds"])})
        todo += edges[current]
    packages = {package["id"]: package for package in metadata["packages"] if package["id"] in edges}
    return packages, edges, root


def digests():
    with open(ROOT / "Cargo.lock", "rb") as file:
        return {(package["name"], package["version"]): package.get("checksum")
                for package in tomllib.load(file)["package"]}


def sbom(packages, edges, root, checksums):
    ordered = sorted(packages.values(), key=lambda package: (package["name"], package["version"]))
    components = [component(package, checksums) for package in ordered if package["id"] != root]
    components += [embedded(folder) for folder in sorted(EMBEDDED)]
    own = component(packages[root], checksums, kind="application")
    dependencies = [{"ref": purl(package), "dependsOn": [purl(packages[need]) for need in edges[package["id"]]]}
                    for package in ordered]
    for entry in dependencies:
        if entry["ref"] == own["bom-ref"]:
            entry["dependsOn"] += [embedded(folder)["bom-ref"] for folder in sorted(EMBEDDED)]
    content = json.dumps(components, sort_keys=True)
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": own},
        "components": components,
        "dependencies": dependencies,
    }


def component(package, checksums, kind="library"):
    name, version = package["name"], package["version"]
    found = {"type": kind, "bom-ref": purl(package), "name": name, "version": version, "purl": purl(package)}
    if package.get("description"):
        found["description"] = " ".join(package["description"].split())
    if package.get("license"):
        # older crates write `MIT/Apache-2.0`
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksums.get((name, version)):
        found["hashes"] = [{"alg": "SHA-256", "content": checksums[name, version]}]
    if package.get("repository"):
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def embedded(folder):
    name, licence, address = EMBEDDED[folder]
    said = (ROOT / "assets" / folder / "README.md").read_text()
    version = re.search(r"\b\d+\.\d+\.\d+\b", said)
    if not version:
        sys.exit(f"sbom.py: assets/{folder}/README.md names no version")
    address = address.format(version.group())
    return {"type": "library", "bom-ref": address, "name": name, "version": version.group(), "purl": address,
            "licenses": [{"license": {"id": licence}}]}


def licences(packages, root):
    """Every licence text that comes with what is linked; equal texts once, with all that they are of."""
    ordered = sorted((package for package in packages.values() if package["id"] != root),
                     key=lambda package: (package["name"], package["version"]))
    lines = ["# What is in the binary, and under which licences", "", "| crate | version | licence |", "|---|---|---|"]
    lines += [f"| {each['name']} | {each['version']} | {each.get('license') or 'see its text'} |" for each in ordered]
    texts = {}
    for each in ordered:
        folder = pathlib.Path(each["manifest_path"]).parent
        for file in sorted(path for path in folder.iterdir() if path.is_file() and LICENCE_FILES.match(path.name)):
            text = file.read_text(errors="replace").strip()
            texts.setdefault(text, []).append(f"{each['name']} {each['version']}")
    # section 3.2 of the licence: whoever gets the binary is told where the source is
    for each in ordered:
        if "MPL-2.0" in (each.get("license") or ""):
            lines += ["", f"The source of {each['name']} {each['version']}, which is used unchanged, is at <{each['repository']}>; its "
                          "licence, the Mozilla Public License 2.0, is at <https://mozilla.org/MPL/2.0/>."]
    for folder in sorted(EMBEDDED):
        lines += ["", f"The files of {EMBEDDED[folder][0]} are embedded; their licences are in `licenses/{folder}/`."]
    for text, owners in sorted(texts.items(), key=lambda entry: entry[1]):
        lines += ["", f"## {', '.join(dict.fromkeys(owners))}", "", "~~~text", text, "~~~"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
