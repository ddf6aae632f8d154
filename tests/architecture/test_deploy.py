"""What deploy/ says is what runs: commands, ports, paths and settings are the code's own."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.cli.embedded.installation import CODE, Chosen, Installation

DEPLOY = CODE / "deploy"
PROCESSES = ("web", "gateway", "controller", "worker")
UNITS = {path.stem.removeprefix("datahall-"): path for path in DEPLOY.glob("systemd/*.service")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What `datahall up` starts, by name, without the interpreter."""
    state = tmp_path_factory.mktemp("state")
    own = Installation(
        state,
        Chosen(
            port=8480,
            gateway_port=8481,
            postgres_port=1,
            postgres_password="p",
            valkey_port=2,
            valkey_password="v",
            secret_key="s",
        ),
    )
    services = (own.web(), own.gateway(), own.controller(), own.worker())
    return {service.name: list(service.argv[1:]) for service in services}


def directives(unit: Path) -> dict[str, list[str]]:
    """Every line of a unit by its name, continued lines joined."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value.replace("%%", "%"))
    return found


def command(unit: Path) -> list[str]:
    (line,) = directives(unit)["ExecStart"]
    return shlex.split(line)


class TestSystemd:
    def test_has_a_unit_for_every_process(self) -> None:
        assert set(UNITS) == {*PROCESSES, "agent"}

    @pytest.mark.parametrize("name", PROCESSES)
    def test_starts_what_up_starts(self, runs: dict[str, list[str]], name: str) -> None:
        python, *arguments = command(UNITS[name])

        assert python == "/opt/datahall/.venv/bin/python"
        assert arguments == runs[name]

    def test_the_agent_leaves_its_jobs_alone_when_it_is_stopped(self) -> None:
        unit = directives(UNITS["agent"])

        assert unit["KillMode"] == ["process"]
        assert "Environment" not in unit  # neither a lifeline nor the wish to end payloads
        assert command(UNITS["agent"])[1:4] == ["-m", "agents.node", "run"]

    @pytest.mark.parametrize("name", sorted(UNITS))
    def test_gives_no_right_that_is_not_needed(self, name: str) -> None:
        unit = directives(UNITS[name])

        assert unit["NoNewPrivileges"] == ["yes"]
        assert unit["User"] != ["root"]
        assert unit["UMask"] == ["0077"]

    def test_is_what_systemd_understands(self, tmp_path: Path) -> None:
        if not shutil.which("systemd-analyze"):
            pytest.skip("systemd is not here")
        for path in UNITS.values():
            text = path.read_text().replace("/opt/datahall/.venv/bin/python", "/bin/true")
            (tmp_path / path.name).write_text(text)

        done = subprocess.run(
            ["systemd-analyze", "verify", *sorted(map(str, tmp_path.iterdir()))],
            capture_output=True,
            text=True,
            check=False,
        )

        ours = [line for line in done.stderr.splitlines() if "datahall" in line]
        assert ours == []


class TestCompose:
    @pytest.fixture
    def services(self) -> dict[str, Any]:
        return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])

    @pytest.mark.parametrize("name", PROCESSES)
    def test_starts_what_up_starts(
        self, services: dict[str, Any], runs: dict[str, list[str]], name: str
    ) -> None:
        expected = ["0.0.0.0" if word == "127.0.0.1" else word for word in runs[name]]

        assert services[name]["command"] == ["python", *expected]

    @pytest.mark.parametrize("name", ["postgres", "valkey", "web", "gateway", "controller"])
    def test_asks_whether_it_is_well(self, services: dict[str, Any], name: str) -> None:
        assert "healthcheck" in services[name]

    def test_opens_nothing_but_the_proxy(self, services: dict[str, Any]) -> None:
        assert {name for name in services if "ports" in services[name]} == {"nginx"}

    def test_has_no_secret_of_its_own(self) -> None:
        text = (DEPLOY / "compose.yaml").read_text()
        spoken = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)([^}]*)\}", text)

        assert spoken
        assert all(rest.startswith(":?") for _, rest in spoken)


class TestNginx:
    @pytest.mark.parametrize("name", ["datahall.conf", "compose.conf"])
    def test_is_what_nginx_understands(self, name: str, tmp_path: Path) -> None:
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        openssl = shutil.which("openssl")
        if not nginx or not openssl:
            pytest.skip("nginx is not here")
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                *("-nodes", "-days", "1", "-subj", "/CN=datahall.example.org"),
                *(
                    "-keyout",
                    str(tmp_path / "privkey.pem"),
                    "-out",
                    str(tmp_path / "fullchain.pem"),
                ),
            ],
            check=True,
            capture_output=True,
        )
        text = (DEPLOY / "nginx" / name).read_text()
        text = text.replace("/etc/datahall/tls", str(tmp_path))
        text = text.replace("/var/log/nginx", str(tmp_path))
        text = text.replace("server web:", "server 127.0.0.1:")
        text = text.replace("server gateway:", "server 127.0.0.1:")
        (tmp_path / "site.conf").write_text(text)
        whole = tmp_path / "nginx.conf"
        whole.write_text(
            f"pid {tmp_path}/pid; error_log stderr;\n"
            f"events {{}}\nhttp {{ include {tmp_path}/site.conf; }}\n"
        )

        done = subprocess.run(
            [nginx, "-t", "-c", str(whole), "-p", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr

    def test_both_are_the_same_but_for_their_servers(self) -> None:
        def rules(name: str) -> list[str]:
            lines = (DEPLOY / "nginx" / name).read_text().splitlines()
            return [line for line in lines if not re.match(r"#|\s*server (web|gateway|127)", line)]

        def neutral(lines: list[str]) -> list[str]:
            return [re.sub(r"server_name \S+;", "server_name;", line) for line in lines]

        assert neutral(rules("datahall.conf")) == neutral(rules("compose.conf"))

    @pytest.mark.parametrize(
        ("location", "must"),
        [
            ("/live", "proxy_set_header Upgrade"),
            ("= /agent/v1/link", "proxy_set_header Upgrade"),
            ("/transfer/", "proxy_request_buffering off"),
            ("/transfer/", "client_max_body_size 0"),
            ("/v1/endpoints/", "datahall_gateway"),
        ],
    )
    def test_knows_the_doors(self, location: str, must: str) -> None:
        text = (DEPLOY / "nginx" / "datahall.conf").read_text()
        (block,) = re.findall(rf"location {re.escape(location)}\s*\{{(.*?)\n    \}}", text, re.S)

        assert must in block

    def test_the_doors_are_the_codes(self) -> None:
        from apps.serving.gateway import is_prediction

        def told(path: str) -> str:
            return (CODE / path).read_text()

        assert '"/transfer/"' in told("controlplane/asgi.py")
        assert '"/agent/v1/link"' in told("agents/node/link.py")
        assert is_prediction("/v1/endpoints/digits/predict")


class TestEnvironment:
    def test_names_only_what_is_read(self) -> None:
        text = (DEPLOY / "datahall.env.example").read_text()
        names = re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)
        read = "".join(
            path.read_text() for path in (CODE / "controlplane" / "settings").glob("*.py")
        )

        assert [n for n in names if n not in read and n != "DJANGO_SETTINGS_MODULE"] == []

    def test_names_everything_that_production_asks_for(self) -> None:
        production = (CODE / "controlplane/settings/production.py").read_text()
        required = re.findall(r'^    "([A-Z_]+)",$', production, re.MULTILINE)
        text = (DEPLOY / "datahall.env.example").read_text()

        assert required
        assert [name for name in required if f"\n{name}=" not in text] == []
