"""The crates that are linked into hrvd for one target, told in three ways: for `cargo audit bin`, as an SBOM, as copyright.

    crates.py --target TRIPLE audit | sbom | copyright HEAD

Read from cargo's own metadata of the vendored sources; nothing is looked up elsewhere.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import uuid
import zlib
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
# the one that we take where there is a choice; the first that is offered
PREFERRED = ("MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "BSD-2-Clause", "Zlib", "Unicode-3.0", "CDLA-Permissive-2.0", "MPL-2.0")
TEXTS = {"Apache-2.0": "Apache-2.0", "MPL-2.0": "MPL-2.0"}  # in /usr/share/common-licenses


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def linked(meta):
    """Packages by their id, in order, with how each gets in and what it needs; tests' crates are left out."""
    nodes = {n["id"]: n for n in meta["resolve"]["nodes"]}
    packages = {p["id"]: p for p in meta["packages"]}
    root = meta["resolve"]["root"]

    def kinds(dep):
        return {k["kind"] for k in dep["dep_kinds"]}

    runtime, queue = set(), [root]
    while queue:
        at = queue.pop()
        if at not in runtime:
            runtime.add(at)
            queue += [d["pkg"] for d in nodes[at]["deps"] if None in kinds(d) and not proc_macro(packages[d["pkg"]])]
    every, queue = set(), [root]
    while queue:
        at = queue.pop()
        if at not in every:
            every.add(at)
            queue += [d["pkg"] for d in nodes[at]["deps"] if kinds(d) & {None, "build"}]
    order = sorted(every, key=lambda i: (packages[i]["name"], packages[i]["version"]))
    deps = {i: sorted((d["pkg"] for d in nodes[i]["deps"] if kinds(d) & {None, "build"}), key=order.index) for i in order}
    return root, [(packages[i], "runtime" if i in runtime else "build", deps[i]) for i in order]


def proc_macro(package):
    return any("proc-macro" in t["kind"] for t in package["targets"])


def audit(target):
    """The format of cargo-auditable: compressed JSON in the section .dep-v0."""
    root, crates = linked(metadata(target))
    index = {p["id"]: n for n, (p, _, _) in enumerate(crates)}
    out = []
    for package, kind, deps in crates:
        entry = {"name": package["name"], "version": package["version"],
                 "source": "crates.io" if package["source"] == REGISTRY else "local"}  # fmt: skip
        if kind == "build":
            entry["kind"] = "build"
        if deps:
            entry["dependencies"] = [index[d] for d in deps]
        if package["id"] == root:
            entry["root"] = True
        out.append(entry)
    sys.stdout.buffer.write(zlib.compress(json.dumps({"packages": out}, separators=(",", ":")).encode(), 9))


def checksums():
    """Of the packages, as Cargo.lock pins them."""
    with open("Cargo.lock", "rb") as f:
        locked = tomllib.load(f)["package"]
    return {(p["name"], p["version"]): p["checksum"] for p in locked if "checksum" in p}


def sbom(target):
    """CycloneDX 1.5: what is in the binary, each with its licence, and the checksum that Cargo.lock pins."""
    root, crates = linked(metadata(target))
    pinned = checksums()
    parts = [c for c in crates if c[1] == "runtime" and c[0]["id"] != root]
    own = next(p for p, _, _ in crates if p["id"] == root)

    def ref(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    inside = {p["id"]: ref(p) for p, kind, _ in crates if kind == "runtime"}

    def component(package, kind):
        found = {"type": kind, "bom-ref": ref(package), "name": package["name"], "version": package["version"],
                 "licenses": [{"expression": spdx(package)}], "purl": ref(package)}  # fmt: skip
        checksum = pinned.get((package["name"], package["version"]))
        if checksum:
            found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return found

    components = [component(p, "library") for p, _, _ in parts]
    components += inner(parts)
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": component(own, "application"), "properties": [{"name": "target", "value": target}]},
        "components": components,
        "dependencies": [{"ref": inside[p["id"]], "dependsOn": sorted({inside[d] for d in deps if d in inside})}
                         for p, kind, deps in crates if kind == "runtime"],
    }  # fmt: skip
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    print(json.dumps(document, indent=1))


def inner(parts):
    """What a crate carries of another project: SQLite's source."""
    for package, _, _ in parts:
        if package["name"] == "libsqlite3-sys":
            header = (Path(package["manifest_path"]).parent / "sqlite3/sqlite3.h").read_text(encoding="utf-8")
            version = re.search(r'#define SQLITE_VERSION\s+"(.+)"', header).group(1)
            return [{"type": "library", "bom-ref": f"sqlite@{version}", "name": "sqlite", "version": version,
                     "licenses": [{"license": {"name": "public domain"}}],
                     "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"}]  # fmt: skip
    return []


def spdx(package):
    return (package["license"] or "NOASSERTION").replace("/", " OR ")


def choice(package):
    """The licence under which we use it: one name, or several that apply together."""
    parts = [p.strip().strip("()") for p in re.split(r"\bAND\b", spdx(package))]
    chosen = []
    for part in parts:
        offered = [o.strip().strip("()").split(" WITH ")[0] for o in part.split(" OR ")]
        best = [p for p in PREFERRED if p in offered]
        if not best:
            sys.exit(f"{package['name']}: no known licence in {package['license']!r}")
        chosen.append(best[0])
    return chosen


NOTICE = re.compile(r"^\s*(?:copyright|\(c\)|©)\b.*\d{4}.*", re.IGNORECASE | re.MULTILINE)


def notices(package):
    """The copyright lines of a crate's own licence files, else its authors."""
    found = []
    for name in sorted(glob.glob(f"{Path(package['manifest_path']).parent}/*")):
        if re.match(r"(?i)(licen[cs]e|copying|copyright|notice)", os.path.basename(name)) and os.path.isfile(name):
            text = Path(name).read_text(encoding="utf-8", errors="replace")
            found += [" ".join(m.split()) for m in NOTICE.findall(text) if "[yyyy]" not in m]
    return list(dict.fromkeys(found)) or [f"the authors of {package['name']}: {', '.join(package['authors']) or 'see ' + (package['repository'] or 'crates.io')}"]


def full_text(licence, crates):
    """The text of a licence that Debian does not keep in one place: as one of the crates ships it."""
    for package in crates:
        for name in sorted(glob.glob(f"{Path(package['manifest_path']).parent}/*")):
            base = os.path.basename(name).lower()
            fits = re.match(r"licen[cs]e|copying", base) and (licence.split("-")[0].lower() in base or choice(package) == [licence] and "-" not in base)
            if fits and os.path.isfile(name):
                text = Path(name).read_text(encoding="utf-8", errors="replace").strip()
                lines = [x for x in text.splitlines() if not re.match(r"\s*copyright\b.*(\d{4}|contributors)", x, re.I)]
                return "\n".join(lines).strip()
    sys.exit(f"no crate brings the text of {licence}")


def copyright_file(target, head):
    """DEP-5. One paragraph for each crate, one for each licence."""
    root, crates = linked(metadata(target))
    parts = [p for p, kind, _ in crates if kind == "runtime" and p["id"] != root]
    out = [Path(head).read_text(encoding="utf-8").strip()]
    used = {"MIT", "Apache-2.0"}
    for package in parts:
        names = choice(package)
        used |= set(names)
        lines = "\n ".join(notices(package))
        out.append(f"Files: vendor/{package['name']}-{package['version']}/*\nCopyright: {lines}\nLicense: {' and '.join(map(debian, names))}")
        if package["name"] == "libsqlite3-sys":
            out.append(f"Files: vendor/{package['name']}-{package['version']}/sqlite3/*\nCopyright: none\n"
                       "License: public-domain\n The authors of SQLite disclaim copyright to its source code.")  # fmt: skip
    for licence in sorted(used):
        if licence in TEXTS:
            body = f"On Debian systems the text stands in /usr/share/common-licenses/{TEXTS[licence]}."
        else:
            body = full_text(licence, parts)
        out.append(f"License: {debian(licence)}\n{indented(body)}")
    print("\n\n".join(out))


def debian(licence):
    return {"MIT": "Expat"}.get(licence, licence)


def indented(text):
    lines = [w for line in text.splitlines() for w in (textwrap.wrap(line.strip(), 100) or ["."])]
    return "\n".join(f" {line}" for line in lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("what", choices=("audit", "sbom", "copyright"))
    parser.add_argument("head", nargs="?")
    args = parser.parse_args()
    {"audit": audit, "sbom": sbom}.get(args.what, lambda t: copyright_file(t, args.head))(args.target)


main()
