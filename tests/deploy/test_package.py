"""Debian's package: what is in it, whose it is and who may read it. test_systemd.py installs it."""

import os
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from conftest import DEPLOY, PROGRAM, REPO, run

MANIFEST = tomllib.loads((REPO / "Cargo.toml").read_text())["package"]
DEB = MANIFEST["metadata"]["deb"]
# What dpkg allows to be run, and what others may not read.
MODES = {"usr/bin/calferry": 0o755, "etc/calferry/calferry.toml": 0o640}


def archive(package: Path, which: str, folder: Path) -> list[tarfile.TarInfo]:
    """The members of one of its two archives, which it unpacks."""
    file = folder / f"{which}.tar"
    with file.open("wb") as out:
        subprocess.run(["dpkg-deb", f"--{which}-tarfile", package], stdout=out, check=True, timeout=60)
    with tarfile.open(file) as archive:
        archive.extractall(folder / which, filter="data")
        return archive.getmembers()


@pytest.fixture
def files(package, tmp_path) -> dict[str, tarfile.TarInfo]:
    return {member.name.removeprefix("./"): member for member in archive(package, "fsys", tmp_path)}


def test_everything_in_the_package_is_roots_and_only_the_program_can_be_run(files):
    assert {(file.uid, file.gid) for file in files.values()} == {(0, 0)}
    for name, file in files.items():
        assert file.isdir() or file.isreg(), name
        assert file.mode == (0o755 if file.isdir() else MODES.get(name, 0o644)), f"{name}: {file.mode:o}"


def test_the_package_holds_what_the_manifest_names_and_nothing_else(files, tmp_path):
    wanted = {"usr/share/doc/calferry/copyright"}
    for source, to, _ in DEB["assets"]:
        made = source.startswith("target/release/")
        assert made or (REPO / source).is_file(), source
        if "*" not in source:
            wanted.add(to + Path(source).name if to.endswith("/") else to)
        if not made:
            packed = tmp_path / "fsys" / (to + Path(source).name if to.endswith("/") else to)
            assert packed.read_bytes() == (REPO / source).read_bytes(), source
    assert run(PROGRAM, "man", "--dir", tmp_path).returncode == 0
    wanted |= {f"usr/share/man/man1/{page.name}" for page in tmp_path.glob("*.1")}
    assert len([name for name in wanted if name.endswith(".1")]) > 15
    assert {name for name, file in files.items() if file.isreg()} == wanted


def test_the_program_in_the_package_is_the_one_that_was_built(files, tmp_path):
    packed = run(tmp_path / "fsys/usr/bin/calferry", "--version")
    assert packed.returncode == 0 and packed.stdout == run(PROGRAM, "--version").stdout
    assert packed.stdout.startswith(f"calferry {MANIFEST['version']}\n")
    for shell, name in {"bash": "bash-completion/completions/calferry", "zsh": "zsh/vendor-completions/_calferry",
                        "fish": "fish/vendor_completions.d/calferry.fish"}.items():
        assert (tmp_path / "fsys/usr/share" / name).read_text() == run(PROGRAM, "completions", shell).stdout, shell


def test_the_package_says_what_it_is_and_what_it_needs(package, tmp_path):
    names = {member.name.removeprefix("./") for member in archive(package, "ctrl", tmp_path)} - {".", ""}
    assert names == {"control", "conffiles", "postinst", "prerm", "postrm"}
    control = tmp_path / "ctrl"
    assert (control / "conffiles").read_text().split() == ["/etc/calferry/calferry.toml"]
    for name in ["postinst", "prerm", "postrm"]:
        assert (control / name).read_text() == (DEPLOY / "debian" / name).read_text()
        assert os.access(control / name, os.X_OK) and run("sh", "-n", control / name).returncode == 0, name
    words = dict(re.findall(r"(?m)^(\S+): (.*)", (control / "control").read_text()))
    assert words["Package"] == "calferry" and words["Version"].startswith(f"{MANIFEST['version']}-")
    needed = {need.split()[0] for need in words["Depends"].split(", ")}
    assert {"libc6", "ca-certificates", "systemd"} <= needed
