"""The private servers: made once, closed to strangers, gone with us."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from controlplane.cli.embedded import postgres as postgres_module
from controlplane.cli.embedded.installation import HOST, Installation
from controlplane.cli.embedded.postgres import Postgres
from controlplane.cli.embedded.service import EmbeddedError, running
from controlplane.cli.embedded.valkey import Valkey
from tests.servers import free_port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Postgres:
    folder = tmp_path_factory.mktemp("private")
    folder.chmod(0o700)
    made = Postgres(state=folder, port=free_port(), password="secret-1", durable=False)
    made.prepare()
    return made


class TestPostgres:
    def test_keeps_its_data_over_a_restart(self, cluster, tmp_path):
        with running(cluster.service(), log=tmp_path / "log"):
            with psycopg.connect(cluster.url()) as connection:
                connection.execute("create table if not exists kept (word text)")
                connection.execute("insert into kept values ('here')")

        cluster.prepare()
        with running(cluster.service(), log=tmp_path / "log"):
            with psycopg.connect(cluster.url()) as connection:
                row = connection.execute("select word, current_setting('timezone') from kept")
                assert row.fetchone() == ("here", "UTC")

    def test_refuses_a_wrong_password(self, cluster, tmp_path):
        with running(cluster.service(), log=tmp_path / "log"):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(cluster.url().replace("secret-1", "guess"))

    def test_leaves_the_files_to_their_owner(self, cluster):
        assert cluster.data.stat().st_uid == os.geteuid()
        assert cluster.data.stat().st_mode & 0o077 == 0

    def test_says_that_a_cluster_is_of_another_version(self, tmp_path):
        old = Postgres(state=tmp_path, port=free_port(), password="x")
        old.data.mkdir(parents=True)
        (old.data / "PG_VERSION").write_text("17\n")

        with pytest.raises(EmbeddedError, match="no Postgres 18 cluster"):
            old.prepare()

    def test_shows_the_log_of_a_server_that_does_not_start(self, cluster, tmp_path):
        with running(cluster.service(), log=tmp_path / "log"):
            with pytest.raises(EmbeddedError, match="lock file"):
                with running(
                    Postgres(state=cluster.state, port=free_port(), password="secret-1").service(),
                    log=tmp_path / "second",
                ):
                    pass

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root changes user")
    def test_runs_where_user_namespaces_are_refused(self, monkeypatch, tmp_path):
        folder = Path("/var/tmp") / f"datahall-{tmp_path.name}-{os.getpid()}"
        monkeypatch.setattr(postgres_module, "CLONE_NEWUSER", 1 << 62)  # no such flag
        server = Postgres(state=folder, port=free_port(), password="x", durable=False)
        try:
            server.prepare()
            with running(server.service(), log=tmp_path / "log"):
                psycopg.connect(server.url()).close()
        finally:
            subprocess.run(["rm", "-rf", str(folder)], check=True)


class TestValkey:
    def test_knows_the_administrator_only(self, tmp_path):
        valkey = Valkey(state=tmp_path, port=free_port(), password="secret-2", durable=False)
        valkey.prepare()

        with running(valkey.service(), log=tmp_path / "log"):
            with redis.Redis.from_url(valkey.url) as admin:
                assert admin.acl_whoami() == "default"
            with redis.Redis(port=valkey.port) as stranger:
                with pytest.raises(redis.AuthenticationError):
                    stranger.ping()

    def test_keeps_the_users_that_were_saved_and_its_keys(self, tmp_path):
        valkey = Valkey(state=tmp_path, port=free_port(), password="secret-2")
        valkey.prepare()
        with running(valkey.service(), log=tmp_path / "log"):
            with redis.Redis.from_url(valkey.url) as admin:
                admin.acl_setuser("node", enabled=True, passwords=["+one"], keys=["own:*"])
                admin.execute_command("ACL", "SAVE")
                admin.set("kept", "here")

        valkey.prepare()

        with running(valkey.service(), log=tmp_path / "log"):
            with redis.Redis.from_url(valkey.url, decode_responses=True) as admin:
                assert admin.acl_users() == ["default", "node"]
                assert admin.get("kept") == "here"


def test_a_service_dies_with_its_parent_killed(tmp_path):
    valkey = Valkey(state=tmp_path, port=free_port(), password="x", durable=False)
    script = (
        "import sys; from pathlib import Path\n"
        "from controlplane.cli.embedded.service import running\n"
        "from controlplane.cli.embedded.valkey import Valkey\n"
        f"valkey = Valkey(state=Path({str(tmp_path)!r}), port={valkey.port}, password='x')\n"
        "valkey.prepare()\n"
        f"with running(valkey.service(), log=Path({str(tmp_path / 'log')!r})):\n"
        "    print('up', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        with redis.Redis.from_url(valkey.url) as client:
            connection = client.client()
            connection.ping()

            parent.send_signal(signal.SIGKILL)

            with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
                connection.blpop(["never"], timeout=4)


class TestPorts:
    def test_a_file_from_before_the_gateway_gets_a_port_for_it(self, tmp_path):
        Installation.open(tmp_path, port=free_port())
        file = tmp_path / "embedded.json"
        before = json.loads(file.read_text())
        del before["gateway_port"]
        file.write_text(json.dumps(before))

        opened = Installation.open(tmp_path, port=None)

        after = json.loads(file.read_text())
        assert after == before | {"gateway_port": opened.chosen.gateway_port}
        assert Installation.open(tmp_path, port=None).chosen == opened.chosen

    def test_the_gateway_goes_elsewhere_if_its_usual_port_is_taken(self, tmp_path):
        with socket.socket() as stranger:
            stranger.bind((HOST, 0))
            stranger.listen()
            taken = stranger.getsockname()[1]

            chosen = Installation.open(tmp_path, port=taken - 1).chosen

        assert chosen.gateway_port not in (taken, chosen.port)

    def test_the_gateway_leaves_its_port_to_a_web_server_that_wants_it(self, tmp_path):
        taken = Installation.open(tmp_path, port=free_port()).chosen.gateway_port

        chosen = Installation.open(tmp_path, port=taken).chosen

        assert chosen.port == taken
        assert chosen.gateway_port != taken

    def test_everybody_is_told_where_the_gateway_is(self, tmp_path):
        installation = Installation.open(tmp_path, port=free_port())

        port = installation.chosen.gateway_port
        assert installation.environment["DATAHALL_GATEWAY_URL"] == f"http://{HOST}:{port}"
        assert "DATAHALL_GATEWAY_URL" not in installation.bare_environment
        assert str(port) in installation.gateway().argv
