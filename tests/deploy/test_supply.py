"""What the program is made of: few crates, one provider of TLS, all of them named in the bill and held against advisories."""

import json
import os
import socket
import time
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from conftest import DEPLOY, REPO, run

# As it was, and a little: whoever adds one that brings many should notice.
MOST_CRATES = 280
PUBLISHED = "https://github.com/RustSec/advisory-db"


def crates(edges: str) -> set[tuple[str, str]]:
    tree = run("cargo", "tree", "--locked", "--edges", edges, "--prefix", "none", "--format", "{p}", cwd=REPO)
    assert tree.returncode == 0, tree.stderr
    words = [line.split() for line in tree.stdout.splitlines() if line]
    return {(name, version.removeprefix("v")) for name, version, *_ in words if name != "calferry"}


def test_the_program_is_made_of_few_crates_and_one_provider_of_tls():
    made_of = crates("normal")
    assert 200 < len(made_of) <= MOST_CRATES
    names = {name for name, _ in made_of}
    assert names & {"aws-lc-rs", "ring", "openssl", "openssl-sys", "native-tls", "boring", "mbedtls"} == {"aws-lc-rs"}


def test_the_bill_of_materials_names_what_is_built_with_its_checksum_and_nothing_else(tmp_path):
    written = run(DEPLOY / "sbom", tmp_path / "sbom.json")
    assert written.returncode == 0, written.stderr
    text = (tmp_path / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "calferry")
    locked = tomllib.loads((REPO / "Cargo.lock").read_text())["package"]
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}
    named = {(part["name"], part["version"]): part for part in bill["components"]}
    assert set(named) == crates("no-dev") and len(named) == len(bill["components"])
    assert set(named) >= crates("normal")
    for crate, part in named.items():
        assert part["hashes"] == [{"alg": "SHA-256", "content": checksums[crate]}], crate
        assert part["licenses"] and part["purl"] == "pkg:cargo/{}@{}".format(*crate), crate
    known = {part["bom-ref"] for part in [bill["metadata"]["component"], *bill["components"]]}
    for needs in bill["dependencies"]:
        assert {needs["ref"], *needs["dependsOn"]} <= known, needs
    assert str(REPO) not in text, "where it was written"


class Advisories:
    """A database of our own, and what is said of it."""

    def __init__(self, folder: Path):
        self.folder, self.cache = folder / "database", folder / "cache"

    def write(self, crate: str, kind="") -> str:
        name = f"RUSTSEC-2099-{len(list(self.folder.glob('crates/*/*'))) + 1:04}"
        file = self.folder / f"crates/{crate}/{name}.md"
        file.parent.mkdir(parents=True)
        heading = f'id = "{name}"\npackage = "{crate}"\ndate = "2099-01-01"\n{kind}'
        file.write_text(f"```toml\n[advisory]\n{heading}\n[versions]\npatched = []\n```\n\n# Made up\n\nFor a test.\n")
        return name

    def check(self, **more: str):
        where = {"CALFERRY_ADVISORY_DB": str(self.folder), "CALFERRY_CACHE": str(self.cache)}
        return run(REPO / "tests/advisories", env=os.environ | where | more, timeout=180)


@pytest.fixture
def advisories(tmp_path):
    return Advisories(tmp_path)


def test_every_advisory_against_a_crate_that_is_used_is_a_failure(advisories):
    made = [
        advisories.write("hyper"),
        # Of the fuzz targets only.
        advisories.write("libfuzzer-sys"),
        # What only other crates ask for.
        advisories.write("utf8parse", 'informational = "unmaintained"\n'),
        advisories.write("anstyle-parse", 'informational = "unsound"\n'),
    ]
    said = advisories.check()
    assert said.returncode == 1 and "4 advisories" in said.stdout and "2099-01-01" in said.stdout, said.stdout
    assert [name for name in made if f"ID: {name}" not in said.stderr] == [], said.stderr


def test_an_advisory_against_another_crate_is_none(advisories):
    advisories.write("openssl")
    said = advisories.check()
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("silent", [False, True])
def test_without_a_database_it_is_soon_said_that_nothing_was_checked(silent, advisories):
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}/" if silent else "file:///nowhere"
        elsewhere = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{place}.insteadOf", "GIT_CONFIG_VALUE_0": PUBLISHED}
        begun = time.monotonic()
        said = advisories.check(CALFERRY_ADVISORY_DB="", no_proxy="127.0.0.1", **elsewhere)
    assert said.returncode == 77 and "ADVISORIES WERE NOT CHECKED" in said.stdout, said.stdout + said.stderr
    assert time.monotonic() - begun < 20
