"""What the machine does: disks that are full, read-only or damaged, and clocks that jump. The defences: `store`, which
changes nothing or all, `http`, which serves from memory, and times that are never taken from the wall clock where they
are spans."""

import contextlib
import email.utils
import glob
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from client import ATTACKER, admin, get
from conftest import place_of, served, well
from program import FULL, PROGRAM, Program
from upstream import calendar, settings
from waiting import eventually

PAGE = 4096


class Box:
    """A program whose state folder is a file system of its own, which nobody else sees."""

    def __init__(self, upstream, name: str, mount="mount -t tmpfs -o size=3m tmpfs"):
        self.upstream, self.name, self.count = upstream, name, 0
        self.folder = pathlib.Path(subprocess.check_output(["mktemp", "-d", "-t", "disk-XXXXXX"], text=True).strip())
        wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mount} "$0" && exec "$@"', str(self.folder)]
        self.program = Program(self.settings(self.answers(6)), wrap=wrap, state=self.folder / "state", wait=False)
        eventually("listening", self.program.listens)
        # As the program sees it.
        self.inside = pathlib.Path(f"/proc/{self.program.process.pid}/root{self.folder}")
        self.path = self.paths()
        self.place = place_of(self.program)
        self.body = served(self.program, self.path, "disk canary")

    def answers(self, events: int) -> str:
        self.count += 1
        return self.upstream.on(f"/{self.name}-{self.count}.ics", self.text(events))

    def text(self, events: int) -> bytes:
        # Not to be compressed, so that a new copy needs room.
        dice = random.Random(self.count)
        return calendar("disk canary", events, padding="".join(f"X-NOISE:{dice.randbytes(15_000).hex()}\r\n" for _ in range(2)))

    def settings(self, address: str) -> str:
        return settings({"disk": address})

    def paths(self) -> str:
        said = self.inside_of(PROGRAM, "url", "--config", str(self.program.config))
        return "/" + said.split("://")[1].split("/", 1)[1].split()[0]

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.inside / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(b"x" * PAGE):
                pass

    def inside_of(self, *command: str) -> str:
        enter = ["nsenter", f"--mount=/proc/{self.program.process.pid}/ns/mnt"]
        return subprocess.check_output([*enter, *command], text=True, stderr=subprocess.STDOUT)

    def change(self, before) -> dict:
        """A new address, at which a new calendar waits until `before` was done; then what the status says of it."""
        self.count += 1
        path, body = f"/{self.name}-{self.count}.ics", self.text(12)
        done = False

        def act(handler):
            eventually("the disk is as it is to be", lambda: done)
            self.upstream.on(path, body)
            self.upstream.acts[path](handler)

        self.program.reload(self.settings(self.upstream.act(path, act)))
        eventually("asked", lambda: self.upstream.hits.get(path))
        before()
        done = True
        eventually("the fetch is over", lambda: not self.program.source("disk")["fetching"])
        return self.program.source("disk")

    def restart(self, killed: bool, change: str) -> None:
        """Ends the program and starts it again where its state folder is, after the shell command `change` there."""
        process = self.program.process
        mounts = os.open(f"/proc/{process.pid}/ns/mnt", os.O_RDONLY)
        enter = ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{mounts}"]
        if killed:
            process.kill()
            process.wait()
        self.program.stop()
        subprocess.run([*enter, "sh", "-c", change, str(self.folder)], check=True, capture_output=True)
        self.program.wrap = enter
        self.program.start(wait=False)
        eventually("listening", self.program.listens)
        os.close(mounts)
        self.inside = pathlib.Path(f"/proc/{self.program.process.pid}/root{self.folder}")

    def close(self) -> None:
        self.program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def need(*command: str) -> None:
    if os.getuid() != 0 or subprocess.run(["unshare", "--mount", *command], capture_output=True).returncode != 0:
        pytest.skip(f"cannot do here: {' '.join(command)}")


@contextlib.contextmanager
def boxed(upstream, name: str, **more):
    box = Box(upstream, name, **more)
    try:
        yield box
    finally:
        box.close()


def holds(box: Box, source: dict) -> str:
    """The old copy is served and the trouble is told; returns what is told."""
    well(box.program, box.place, box.path, box.body)
    assert source["trouble"] and source["trouble"]["reason"] == "storage", source
    return f"{source['trouble']['words']}; {source['trouble']['advice']}"


def recovers(box: Box) -> None:
    source = box.change(lambda: None)
    assert source["trouble"] is None and source["events"] == 12, source
    assert b"disk canary 11" in get(box.place, box.path).text()


def test_on_a_full_disk_the_old_copy_is_served_until_there_is_room_again(upstream, report):
    """Takes hold on: the transaction of `Store::accept`, and the error it gives."""
    need("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    with boxed(upstream, "full") as box:
        told = holds(box, box.change(box.fill))
        # A reload needs the disk, too: the old settings stay in force.
        box.program.reload(box.settings(box.answers(3)))
        eventually("said", lambda: "could not be put in force" in box.program.said())
        well(box.program, box.place, box.path, box.body)
        (box.inside / "ballast").unlink()
        recovers(box)
        report(told)


def test_on_a_disk_that_turns_read_only_the_old_copy_is_served(upstream, tmp_path, report):
    """What ext4 does at an error of the disk. Takes hold on: the same."""
    image = tmp_path / "image"
    subprocess.run(["truncate", "--size=16M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    mount = ["mount", "-o", "loop,errors=remount-ro", str(image)]
    need(*mount, "/mnt")
    with boxed(upstream, "read-only", mount=" ".join(mount)) as box:
        device = box.inside_of("findmnt", "-no", "SOURCE", str(box.folder)).strip()
        trigger = pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(device).name}/trigger_fs_error")
        if not os.access(trigger, os.W_OK):
            pytest.skip("this kernel gives no errors for the asking")
        told = holds(box, box.change(lambda: trigger.write_text("attack")))
        assert "ro," in box.inside_of("findmnt", "-no", "OPTIONS", str(box.folder))
        report(told)


@pytest.mark.parametrize("killed", [False, True])
def test_a_start_on_a_full_disk_serves_what_is_stored_and_goes_on_when_there_is_room(upstream, killed):
    """Takes hold on: `schema::connect_alone`, and sources that need not be bound at a start."""
    need("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    with boxed(upstream, f"full-start-{killed}") as box:
        # As after a crash of the system: what connections share is not on the disk.
        box.restart(killed, 'rm -f "$0"/state/*-shm; cat /dev/zero > "$0"/ballast || true')
        assert "cannot be written" in box.program.said()
        well(box.program, box.place, box.path, box.body)
        (box.inside / "ballast").unlink()
        recovers(box)


@pytest.mark.parametrize("killed", [False, True])
def test_a_start_on_a_disk_that_is_read_only_serves_what_is_stored(upstream, killed):
    """Takes hold on: `schema::connect_read_only`, and the lock of a file that cannot be written."""
    need("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    with boxed(upstream, f"read-only-start-{killed}") as box:
        box.restart(False, "true")
        box.restart(killed, 'rm -f "$0"/state/*-shm; mount -o remount,ro "$0"')
        assert "cannot be written" in box.program.said()
        well(box.program, box.place, box.path, box.body)


@pytest.mark.parametrize("options", ["size=4k", "ro"])
def test_a_start_in_a_folder_that_cannot_be_written_ends_with_words(upstream, tmp_path, options, report):
    need("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    mount = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(tmp_path)]
    folder = tmp_path if options == "ro" else tmp_path / "state"
    program = Program(settings({"disk": upstream.on("/disk.ics", calendar("disk canary"))}), wrap=wrap, state=folder, wait=False)
    try:
        assert program.process.wait(30) == 1 and "panicked" not in program.said(), program.said()
        assert "Read-only" in program.said() or "disk is full" in program.said(), program.said()
        report(program.said().strip().splitlines()[-1])
    finally:
        program.stop()


def test_a_database_with_flipped_bits_is_refused_or_fetched_again_and_never_a_crash(upstream, tmp_path, report):
    """Takes hold on: the digest of each copy, and `StoreError::Damaged`."""
    # Not to be compressed, so that most of what is stored is text.
    noise = {name: "".join(f"X-NOISE:{random.Random(name).randbytes(20_000).hex()}\r\n") for name in "abc"}
    sources = {name: upstream.on(f"/flip-{name}.ics", calendar("flip canary", 2, padding=noise[name])) for name in "abc"}
    program = Program(settings(sources), state=tmp_path / "state")
    paths = program.paths()
    bodies = {name: served(program, path, "flip canary") for name, path in paths.items()}
    program.stop()
    shutil.copytree(program.state, tmp_path / "whole")
    dice, fates = random.Random(4), {}
    for _ in range(100 if FULL else 12):
        shutil.rmtree(program.state)
        shutil.copytree(tmp_path / "whole", program.state)
        database = bytearray((program.state / "calferry.db").read_bytes())
        for _ in range(dice.choice([1, 2, 4, 8, 64])):
            database[dice.randrange(len(database))] ^= 1 << dice.randrange(8)
        (program.state / "calferry.db").write_bytes(database)
        program.log.write_text("")
        program.start(wait=False)
        try:
            fate = eventually("an end or a start", lambda: fate_of(program), 30)
            if fate == "served":
                lost = [name for name, path in paths.items() if not whole_again(program, name, path, bodies[name])]
                if lost:
                    # Where the damage is in what holds the text, it can neither be read nor be replaced.
                    fate = "a copy neither to be read nor to be stored again, which the status says"
                elif "cannot be read; it is fetched again" in program.said():
                    fate = "a copy fetched again"
        except AssertionError as error:
            raise AssertionError(f"{error}\n{program.said()}\n{program.alive() and admin(program.admin_port, '/status.json')}") from error
        finally:
            program.stop()
        assert "panicked" not in program.said(), program.said()
        fates[fate] = fates.get(fate, 0) + 1
    report(", ".join(f"{fate}: {count}" for fate, count in sorted(fates.items())))


def whole_again(program: Program, name: str, path: str, body: bytes) -> bool:
    """Whether a feed has its body, at once or after a fetch; `False` if its copy cannot be stored."""

    def known() -> str | None:
        reply = get(place_of(program), path)
        if reply.status == 200:
            assert reply.text() == body, "never a body that was not stored"
            return "whole"
        assert reply.status == 503, reply.head
        trouble = program.source(name)["trouble"]
        return trouble and trouble["reason"] == "storage" and "lost"

    return eventually(f"feed {name}", known, 45) == "whole"


def fate_of(program: Program) -> str | None:
    code = program.process.poll()
    if code is None:
        return "served" if "serving on" in program.said() and program.listens() else None
    said = program.said()
    # Never by a signal; and a human is told what to do.
    assert code == 1 and "left as it was" in said or "left as it is" in said, f"{code}: {said}"
    return "refused"


def test_a_clock_that_jumps_by_a_year_stops_nothing(upstream, tmp_path):
    """Takes hold on: spans and limits measured by a clock that does not jump, and dates that never go backwards."""
    library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert library, "libfaketime is not installed"
    clock = tmp_path / "clock"
    clock.write_text("+0")
    fake = {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    address = upstream.on("/clock.ics", calendar("clock canary"))
    program = Program(settings({"small": address}), environment=fake, server={"requests_per_minute": 6000, "wrong_tokens_per_minute": 20})
    try:
        place, path = place_of(program), program.paths()["small"]
        guess = lambda: get(place, "/wrong.ics", source=ATTACKER)
        began, guesses = time.monotonic(), [guess() for _ in range(22)]
        body = served(program, path, "clock canary")
        etag = get(place, path).header("etag")
        published = get(place, path).header("last-modified")
        for days in (365, -365, 3650, -730, 0):
            clock.write_text(f"{days:+}d")
            eventually(f"{days:+} days", lambda: abs(date_of(get(place, path)) - time.time() - days * 86400) < 86400)
            well(program, place, path, body)
            kept = get(place, path, more=f"If-None-Match: {etag}\r\n")
            assert kept.status == 304, days
            # Never later than Date, which a clock that was set back may be before, and never another.
            assert get(place, path).header("last-modified") == (published if days >= 0 else None), days
            assert get(place, "/wrong.ics").status == 404
            guesses += [guess() for _ in range(10)]
            # Deadlines hold all the same.
            with place.connect() as silent:
                opened = time.monotonic()
                assert silent.recv(1) == b"" and 0.5 < time.monotonic() - opened < 12
        # A jump forgives no guess, and makes nobody wait for longer.
        assert sum(reply.status == 404 for reply in guesses) <= 21 + (time.monotonic() - began) / 3
        assert all(reply.status == 404 or int(reply.header("retry-after")) <= 60 for reply in guesses)
    finally:
        program.stop()


def date_of(reply) -> float:
    return email.utils.parsedate_to_datetime(reply.header("date")).timestamp()
