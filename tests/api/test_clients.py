"""Calls by the HTTP clients that users have."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.wire import CONTENT_TYPE, SHORT_WAV, form
from tests.conftest import User

pytestmark = pytest.mark.exhaustive

JAVA_UPLOAD = """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;

public class Upload {
    public static void main(String[] arguments) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Content-Type", arguments[1])
            .POST(HttpRequest.BodyPublishers.ofFile(Path.of(arguments[2])))
            .build();
        HttpClient client = HttpClient.newHttpClient();
        for (int count = 0; count < 2; count++) {
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
        }
    }
}
"""
NODE_UPLOAD = """
const [url, name] = process.argv.slice(1);
const form = new FormData();
form.append("title", "Привет");
form.append("wav_file", await (await import("node:fs")).openAsBlob(name), "Привет %20.wav");
console.log(await (await fetch(url, { method: "POST", body: form })).text());
"""

DOTNET_UPLOAD = """
using System;
using System.IO;
using System.Net.Http;

class Upload {
    static void Main(string[] arguments) {
        foreach (var expect in new[] { false, true }) {
            var client = new HttpClient();
            client.DefaultRequestHeaders.ExpectContinue = expect;
            var form = new MultipartFormDataContent(expect ? "bound ary (1)" : Guid.NewGuid().ToString());
            form.Add(new StringContent("Привет"), "title");
            form.Add(new StreamContent(File.OpenRead(arguments[1])), "wav_file", "Песня & 100%; x=y.wav");
            Console.WriteLine(client.PostAsync(arguments[0], form).Result.Content.ReadAsStringAsync().Result);
        }
    }
}
"""


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, cwd=cwd).stdout.decode()


def upload_url(user: User, query: str = "") -> str:
    base = str(user.client.base_url).rstrip("/")
    return f"{base}/record?user_id={user.id}&token={user.token}{query}"


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "some_audio.wav"
    path.write_bytes(SHORT_WAV)
    return path


@pytest.mark.parametrize("arguments", [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"]])
def test_curl_offers_http2(user: User, wav: Path, arguments: list[str]) -> None:
    curl = [program("curl"), "--http2", "-sS", "--noproxy", "*"]
    upload = [*arguments, "-F", f"wav_file=@{wav}", upload_url(user, "&if_exists=rename")]
    answers = run(*curl, *upload, "--next", *curl[1:], *upload, cwd=wav.parent)
    first, second = (json.loads(answer + "}") for answer in answers.split("}")[:2])
    assert first["filename"] == "some_audio.wav"
    assert second["filename"] == "some_audio (2).wav"
    assert user.wait(first["id"])["status"] == "done"
    mp3 = wav.with_name("x.mp3")
    run(*curl, "-o", str(mp3), first["download_link"], cwd=wav.parent)
    assert mp3.read_bytes() == user.client.get(first["download_link"]).content


def test_java_offers_http2(user: User, tmp_path: Path) -> None:
    java = program("java")
    program("javac")
    (tmp_path / "Upload.java").write_text(JAVA_UPLOAD)
    (tmp_path / "body").write_bytes(form(SHORT_WAV))
    url = upload_url(user, "&if_exists=rename")
    printed = run(java, "Upload.java", url, CONTENT_TYPE, "body", cwd=tmp_path)
    names = [json.loads(line)["filename"] for line in printed.splitlines()]
    assert names == ["wire.wav", "wire (2).wav"]


def test_node_uploads_a_form(user: User, wav: Path) -> None:
    command = ("--input-type=module", "--no-warnings", "-e", NODE_UPLOAD, upload_url(user))
    accepted = json.loads(run(program("node"), *command, str(wav), cwd=wav.parent))
    assert accepted["filename"] == "Привет %20.wav"
    options = user.wait(accepted["id"])["options"]
    assert isinstance(options, dict)
    assert options["title"] == "Привет"


def test_dotnet_uploads_a_form(user: User, wav: Path) -> None:
    compiler, mono = program("mcs"), program("mono")
    wav.with_name("Upload.cs").write_text(DOTNET_UPLOAD)
    run(compiler, "-r:System.Net.Http.dll", "Upload.cs", cwd=wav.parent)
    url = upload_url(user, "&if_exists=rename")
    answers = run(mono, "Upload.exe", url, str(wav), cwd=wav.parent).splitlines()
    names = [json.loads(answer)["filename"] for answer in answers]
    assert names == ["Песня & 100%; x=y.wav", "Песня & 100%; x=y (2).wav"]
    options = user.wait(json.loads(answers[0])["id"])["options"]
    assert isinstance(options, dict)
    assert options["title"] == "Привет"


@pytest.mark.parametrize("kind", ["audio/wav", "application/octet-stream"])
def test_wget_posts_a_file(user: User, wav: Path, kind: str) -> None:
    wget = [program("wget"), "-q", "-O", "-", "--no-proxy", f"--header=Content-Type: {kind}"]
    url = upload_url(user, "&filename=wget.wav")
    accepted = json.loads(run(*wget, f"--post-file={wav}", url, cwd=wav.parent))
    assert accepted["filename"] == "wget.wav"


@pytest.mark.parametrize("filename", ["Привет 720.wav", "Grüße & 100%; x=y.wav", "🎵.wav"])
@pytest.mark.parametrize(
    "command",
    [
        ["curl", "-sSfOJ", "--noproxy", "*"],
        ["wget", "-q", "--content-disposition", "--no-proxy", "--restrict-file-names=nocontrol"],
    ],
    ids=["curl", "wget"],
)
def test_downloads_are_saved_under_their_name(
    user: User, tmp_path: Path, command: list[str], filename: str
) -> None:
    # curl reads the plain name alone, where percent signs are replaced.
    name = Path(filename).with_suffix(".mp3").name
    expected = name.replace("%", "_") if command[0] == "curl" else name
    link = user.upload(SHORT_WAV, filename).json()["download_link"]
    run(program(command[0]), *command[1:], link, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [expected]
