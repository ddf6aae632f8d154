"""Commands as a person types them, against answers of the API."""

import hashlib
import io
import json
import zipfile

from click.testing import CliRunner, Result

from controlplane.cli.__main__ import main
from tests.cli.plane import Answer, Asked, plane


def run(*words: str, url: str = "http://127.0.0.1:9") -> Result:
    environment = {"DATAHALL_URL": url, "DATAHALL_TOKEN": "dh_token"}
    return CliRunner().invoke(main, words, env=environment)


class TestOutput:
    def test_prints_machine_output_alone_on_stdout(self):
        node = {"name": "one"}
        with plane(lambda asked: Answer(200, {"results": [node], "next": None})) as server:
            result = run("nodes", "list", "--json", url=server.url)

        assert json.loads(result.stdout) == [node]

    def test_cuts_nothing_where_no_terminal_is(self):
        project = {
            "slug": "a" * 150,
            "name": "[bold]A[/bold]",
            "created_at": "2026-11-23T10:00:00Z",
        }
        with plane(lambda asked: Answer(200, {"results": [project], "next": None})) as server:
            result = run("projects", "list", url=server.url)

        assert "a" * 150 in result.stdout
        assert "[bold]A[/bold]" in result.stdout


class TestErrors:
    def test_are_a_sentence_and_exit_code_1(self):
        with plane(lambda asked: Answer(404, {"detail": "There is nothing here."})) as server:
            result = run("jobs", "show", "nope", url=server.url)

        assert (result.exit_code, result.stderr) == (1, "Error: There is nothing here.\n")

    def test_of_usage_have_exit_code_2(self):
        assert run("jobs", "submit").exit_code == 2

    def test_name_the_file_that_is_no_yaml(self, tmp_path):
        file = tmp_path / "job.yaml"
        file.write_text("kind: [")

        result = run("jobs", "submit", "-f", str(file))

        assert result.exit_code == 1
        assert f"{file} is not YAML" in result.stderr

    def test_of_files_are_sentences_too(self, tmp_path):
        (tmp_path / "digits-1").write_text("in the way")
        file = {"path": "m", "digest": "0" * 64, "size": 1, "url": "/transfer/x"}
        versions = {"versions": [{"number": 1, "files": [file]}]}
        with plane(lambda asked: Answer(200, versions)) as server:
            result = run(
                *("models", "download", "digits", "--to", str(tmp_path / "digits-1" / "in")),
                url=server.url,
            )

        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert isinstance(result.exception, SystemExit)


class TestSubmit:
    def test_sends_the_folder_that_code_names_as_a_zip(self, tmp_path):
        (tmp_path / "code").mkdir()
        (tmp_path / "code" / "main.py").write_text("print('hello')")
        (tmp_path / "job.yaml").write_text("kind: script\ncode: code\nentrypoint: main.py\n")
        sent: list[Asked] = []

        def answer(asked: Asked) -> Answer:
            sent.append(asked)
            if asked.path.endswith("/jobs"):
                return Answer(201, {"id": "j1"})
            if asked.method == "HEAD":
                return Answer(200, headers={"Upload-Offset": "0"})
            if asked.method == "PATCH":
                return Answer(204, headers={"Upload-Offset": asked.headers["content-length"]})
            return Answer(201, {"id": "u1", "url": "/transfer/u1", "finished": False})

        with plane(answer) as server:
            result = run("jobs", "submit", "-f", str(tmp_path / "job.yaml"), url=server.url)

        assert (result.exit_code, result.stdout) == (0, "j1\n")
        (patch,) = [asked for asked in sent if asked.method == "PATCH"]
        assert zipfile.ZipFile(io.BytesIO(patch.body)).namelist() == ["main.py"]
        assert sent[-1].json == {
            "kind": "script",
            "name": "code",
            "code": "u1",
            "entrypoint": "main.py",
        }


class TestJobByName:
    def test_means_the_newest_of_that_name(self):
        jobs = [{"id": "j3", "name": "train-old"}, {"id": "j2", "name": "train"}]
        jobs.append({"id": "j1", "name": "train"})

        def answer(asked: Asked) -> Answer:
            if asked.method == "POST":
                return Answer(200, {"id": "j2", "state": "running"})
            return Answer(200, {"results": jobs, "next": None})

        with plane(answer) as server:
            result = run("jobs", "stop", "train", url=server.url)

        assert (result.exit_code, result.stdout) == (0, "j2 is being stopped\n")
        assert server.asked[-1].path == "/api/v1/projects/default/jobs/j2/stop"

    def test_that_no_job_has_is_said(self):
        with plane(lambda asked: Answer(200, {"results": [], "next": None})) as server:
            result = run("jobs", "show", "nope", url=server.url)

        assert result.stderr == "Error: There is no job nope in this project.\n"


class TestDownload:
    def test_brings_what_a_job_has_left(self, tmp_path):
        content = b"hi"
        file = {
            "path": "sub/result.txt",
            "digest": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "url": "/transfer/x",
        }
        page = {"results": [file], "next": None, "previous": None}
        job = "01a20a82-d8d9-746c-9823-a95df07131cb"

        def answer(asked: Asked) -> Answer:
            return Answer(200, content if asked.path == "/transfer/x" else page)

        with plane(answer) as server:
            result = run("jobs", "download", job, "--to", str(tmp_path / "to"), url=server.url)

        assert result.exit_code == 0
        assert (tmp_path / "to/sub/result.txt").read_bytes() == content

    def test_refuses_a_name_that_leaves_the_folder(self, tmp_path):
        file = {"path": "../outside", "digest": "0" * 64, "size": 1, "url": "/transfer/x"}
        versions = {"versions": [{"number": 1, "files": [file]}]}
        with plane(lambda asked: Answer(200, versions)) as server:
            result = run("models", "download", "m", "--to", str(tmp_path / "to"), url=server.url)

        assert result.exit_code == 1
        assert "cannot be taken" in result.stderr
        assert not (tmp_path / "outside").exists()


class TestCordon:
    def test_says_why(self):
        node = {
            "id": "n1",
            "name": "one",
            "contact": "fresh",
            "cordoned_at": "2026-11-25T00:00Z",
        } | {"simulated": False}

        def answer(asked: Asked) -> Answer:
            if asked.method == "GET":
                return Answer(200, {"results": [node], "next": None})
            return Answer(200, {**node, "cordon_reason": asked.json["reason"]})

        with plane(answer) as server:
            result = run("nodes", "cordon", "one", "--reason", "a loud fan", url=server.url)

        assert result.stdout == "one ready, cordoned (a loud fan)\n"
