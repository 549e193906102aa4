"""A recording that can't be written stops the session."""
import pytest

from harness import wire
from harness.system import IS_ROOT, must, run, wait_until
from harness.wire import Wire, error_of

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="mounts a small tmpfs")


@pytest.fixture
def small(new_bastion):
    """A bastion whose recordings have 2 MiB of room."""
    bastion = new_bastion()
    bastion.stop()
    room = bastion.state / "recordings"
    owner = room.stat()
    must("mount", "-t", "tmpfs", "-o", f"size=2m,mode={owner.st_mode & 0o7777:o},uid={owner.st_uid},gid={owner.st_gid}",
         "tmpfs", room)
    try:
        yield bastion.start(), room
    finally:
        bastion.stop()
        run("umount", "-l", room)


def test_a_disk_that_fills_up_stops_the_session_and_says_why(small, postgres):
    bastion, room = small
    with bastion.client().forward("bulk") as forward, Wire(forward.port) as link:
        link.login()
        with pytest.raises((EOFError, ConnectionError)):
            for _ in range(3000):
                link.ask(wire.query("select repeat('z', 2000)"))
            link.ask(wire.query("update customers set city = 'Unrecorded' where id = 9"))
        fault = error_of(link.seen)
        assert fault["S"] == "FATAL" and fault["C"] == "58030" and "recording_unavailable" in fault["D"], fault
    assert postgres.value("select count(*) from customers where city = 'Unrecorded'") == 0
    bastion.wait_idle()
    bastion.wait_log("stream_ended.*recording_unavailable")

    done = bastion.client().psql("-Atc", "select 1")
    assert done.returncode != 0 and "recording_unavailable" in done.stderr

    for path in room.rglob("*.ghrec"):
        path.unlink()
    wait_until(lambda: bastion.client().psql("-Atc", "select 1").stdout == "1\n", "room again, sessions again", 20, 0.5)


def test_a_command_whose_output_fills_the_disk_ends_with_a_clear_line(small):
    bastion, _ = small
    done = bastion.client().psql("-Atc", "select repeat('z', 1000) from generate_series(1, 5000)", target="bulk")
    assert done.returncode == 69 and "recording_unavailable" in done.stderr, done.stderr
    assert len(done.stdout) < 2 << 20


def test_no_room_from_the_start_refuses_the_session(small):
    bastion, room = small
    with open(room / "ballast", "wb") as ballast:
        try:
            while ballast.write(b"\0" * 65536):
                ballast.flush()
        except OSError:
            pass
    done = bastion.client().psql("-Atc", "select 1")
    assert done.returncode != 0 and "recording_unavailable" in done.stderr, done
    (room / "ballast").unlink()
