"""`wav2mp3 convert` of files and folders."""

import json
import os
import pty
import re
import tty
from contextlib import suppress

import pytest
from wav2mp3.record import Options

from api.options import RecordOptions
from local.stack import Stack
from tests.api.conftest import StartApi, start_api  # noqa: F401 -- a fixture
from tests.client.conftest import RATE_HZ, TIMEOUT_S, Command, frozen_workers
from tests.conftest import User
from tests.waiting import until
from tests.wavs import build, sine


def names(user: User) -> list[str]:
    """Return the filenames of the user's records."""
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    return [record["filename"] for record in listed]


def test_a_folder_becomes_mp3s_of_the_same_tree(command: Command, user: User) -> None:
    command.wav("in/a.wav", 12345)
    command.wav("in/deep/b [take 1].wav", 23456)
    command.wav("in/deep/._b.wav")
    ended = command.run("convert", "in", "--recursive", "--out", "mp3")
    assert ended.status == 0, ended.errors
    assert command.files() == {"mp3/a.mp3", "mp3/deep/b [take 1].mp3"}
    assert command.frames("mp3/a.mp3") == 12345
    assert command.frames("mp3/deep/b [take 1].mp3") == 23456
    assert "in/a.wav -> mp3/a.mp3 (0.3 s, " in ended.output
    assert "in/a.wav: uploading" in ended.errors
    assert names(user) == []


def test_without_recursive_subfolders_are_left_out(command: Command) -> None:
    command.wav("in/a.wav")
    command.wav("in/deep/b.wav")
    assert command.run("convert", "in").status == 0
    assert command.files() == {"in/a.mp3"}


def test_options_reach_the_mp3(command: Command) -> None:
    command.wav("a.wav")
    options = ("--bitrate-kbps", "64", "--sample-rate-hz", "22050", "--title", "Ça")
    more = ("--gain-db", "-6.0", "--tag-charset", "cp1251", "--id3-version", "2.3")
    assert command.run("convert", "a.wav", "--out", "b.mp3", *options, *more).status == 0
    mp3 = (command.folder / "b.mp3").read_bytes()
    assert mp3.startswith(b"ID3\x03")
    assert 64000 / 8 <= len(mp3) < 64000 / 8 + 2000
    assert "Ça".encode() in mp3 or "Ça".encode("utf-16-le") in mp3


def test_the_client_has_every_option_of_the_service() -> None:
    assert set(Options.__annotations__) == set(RecordOptions.model_fields)


def test_finished_files_are_skipped(command: Command, user: User) -> None:
    wav = command.wav("a.wav")
    assert command.run("convert", "a.wav", "--keep").status == 0
    again = command.run("convert", "a.wav", "--keep")
    assert again.status == 0
    assert again.output == "a.wav: skipped, a.mp3 is newer\n"
    assert names(user) == ["a.wav"]
    wav.touch()
    assert "a.wav -> a.mp3" in command.run("convert", "a.wav").output


def test_a_failure_does_not_stop_the_others(command: Command, user: User) -> None:
    command.wav("good.wav")
    (command.folder / "notes.wav").write_text("This is a text. " * 100)
    command.wav("old.wav")
    assert command.run("convert", "old.wav").status == 0
    ended = command.run("convert", "notes.wav", "missing.wav", "good.wav", "old.wav")
    assert ended.status == 1
    assert command.files() == {"good.mp3", "old.mp3"}
    reason = user.upload(b"This is a text. " * 100, "notes.wav").json()["detail"]
    assert "\nFailed:\n" in ended.errors
    assert ended.errors.endswith("\n1 converted, 1 skipped, 2 failed\n")
    assert f"  notes.wav    {reason}\n" in ended.errors
    assert "  missing.wav  missing.wav cannot be used: No such file or directory.\n" in ended.errors


def test_equal_names_of_several_folders_do_not_collide(command: Command) -> None:
    command.wav("one/a.wav", 11111)
    command.wav("two/a.wav", 22222)
    command.wav("two/a.wave", 33333)
    wavs = ("one/a.wav", "two/a.wav", "two/a.wave")
    assert command.run("convert", *wavs[:2], "--out", "mp3").status == 0
    assert command.frames("mp3/one/a.mp3") == 11111
    assert command.frames("mp3/two/a.mp3") == 22222
    assert command.run("convert", "two").status == 0
    assert command.frames("two/a.wav.mp3") == 22222
    assert command.frames("two/a.wave.mp3") == 33333


def test_names_that_differ_in_case_are_numbered(command: Command) -> None:
    """On many file systems both would have the same MP3."""
    command.wav("in/y.WAV", 11111)
    command.wav("in/y.wav", 22222)
    command.wav("in/z.wav")
    ended = command.run("convert", "in", "--out", "mp3")
    assert ended.status == 0, ended.errors
    assert command.frames("mp3/y.WAV.mp3") == 11111
    assert command.frames("mp3/y.wav (2).mp3") == 22222
    assert "in/y.wav -> mp3/y.wav (2).mp3" in ended.output
    assert command.frames("mp3/z.mp3") == RATE_HZ


def test_control_characters_are_escaped(command: Command, user: User) -> None:
    command.wav("red\x1b[31m\n2.wav")
    (command.folder / "bad\x9b.wav").write_text("no WAV")
    ended = command.run("convert", ".", "--keep")
    assert "red\\x1b[31m\\n2.wav -> red\\x1b[31m\\n2.mp3 (" in ended.output
    assert "  bad\\x9b.wav  " in ended.errors
    user.upload(build(sine(RATE_HZ), sample_rate_hz=RATE_HZ), "green\x1b[32m.wav")
    listed = command.run("list").output
    shown = ended.output + ended.errors + listed
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_one_mp3_of_two_wavs_is_refused(command: Command) -> None:
    ended = command.run("convert", "a.wav", "b.wav", "--out", "one.mp3")
    assert ended.status == 2
    assert ended.errors == "a.wav and b.wav would become one.mp3. Name a folder with --out.\n"


def test_a_record_of_another_file_is_never_used(command: Command, user: User) -> None:
    """Two takes may have the same name, size and length."""
    mine = build(sine(RATE_HZ), sample_rate_hz=RATE_HZ)
    other = build(-sine(RATE_HZ), sample_rate_hz=RATE_HZ)
    expected = user.convert(mine, "expected.wav")
    assert user.upload(other, "a.wav").status_code == 202
    (command.folder / "a.wav").write_bytes(mine)
    assert command.run("convert", "a.wav").status == 0
    assert (command.folder / "a.mp3").read_bytes() == expected
    assert set(names(user)) == {"a.wav", "expected.wav"}


def test_json_has_an_object_for_each_file(command: Command) -> None:
    command.wav("a.wav")
    (command.folder / "b.wav").write_text("no WAV")
    ended = command.run("convert", "a.wav", "b.wav", "c.wav", "--json")
    a, b, c = sorted(map(json.loads, ended.output.splitlines()), key=lambda result: result["wav"])
    assert (a["wav"], a["mp3"], a["status"], a["error"]) == ("a.wav", "a.mp3", "done", None)
    assert [each["code"] for each in (a, b, c)] == [None, "not_a_wav", "file_unusable"]
    assert a["record"]["duration_s"] == pytest.approx(1)
    assert (b["status"], b["record"]) == ("failed", None)
    assert b["error"]


def test_quiet_prints_only_warnings(command: Command, user: User) -> None:
    short = build(sine(RATE_HZ), sample_rate_hz=RATE_HZ, declared=3 * RATE_HZ)
    (command.folder / "a.wav").write_bytes(short)
    command.wav("c.wav")
    ended = command.run("convert", "a.wav", "c.wav", "--quiet")
    assert ended.output == ""
    warnings = user.wait(user.upload(short, "b.wav").json()["id"])["warnings"]
    assert isinstance(warnings, list)
    assert warnings
    assert ended.errors == "".join(f"a.wav: warning: {warning}\n" for warning in warnings)


@pytest.mark.parametrize(
    "arguments",
    [
        ["empty"],
        ["a.wav", "--quality", "10"],
        ["a.wav", "--quality", "1", "--bitrate-kbps", "128"],
        ["a.wav", "b.wav", "--out", "one.mp3"],
    ],
)
def test_wrong_arguments_end_with_status_2(command: Command, arguments: list[str]) -> None:
    (command.folder / "empty").mkdir()
    ended = command.run("convert", *arguments)
    assert ended.status == 2
    assert ended.errors
    assert ended.output == ""


def test_a_terminal_shows_bars(command: Command) -> None:
    command.wav("a.wav", 60 * RATE_HZ)
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with command.start("convert", "a.wav", errors_to=theirs, TERM="xterm", COLUMNS="100"):
        os.close(theirs)
        shown = b""
        # Linux reports the end of a terminal as an error.
        with suppress(OSError):
            while block := os.read(ours, 2**16):
                shown += block
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"a\.wav +(uploading|in the queue|converting|downloading) +[━╸╺]+ +\d+%", text)
    assert "0 of 1 file finished" in text
    assert "a.wav: uploading" not in text


def test_a_batch_waits_for_room(
    command: Command,
    stack: Stack,
    start_api: StartApi,  # noqa: F811
) -> None:
    """Each WAV takes most of the quota until it is converted."""
    api = start_api({"MAX_STORED_BYTES": "200000"})
    owner = api.user()
    names = [f"{number}.wav" for number in range(3)]
    for name in names:
        command.wav(name)
    command.environment |= {
        "WAV2MP3_URL": api.url,
        "WAV2MP3_USER_ID": owner.id,
        "WAV2MP3_TOKEN": owner.token,
    }
    said = command.folder / "said.txt"
    with said.open("w") as errors, frozen_workers(stack):
        process = command.start("convert", *names, "--keep", errors_to=errors.fileno())
        until(lambda: "waiting for the service" in said.read_text())
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said.read_text()
    assert command.files() == {"said.txt", "0.mp3", "1.mp3", "2.mp3"}
