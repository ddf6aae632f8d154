"""The link, as a node meets it: a real socket, a real server, real tables."""

import json
import threading
import time
from datetime import timedelta

import msgspec
import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agents.protocol import blocks
from agents.protocol.link import MAX_FRAME_BYTES, Ack, DeviceProcess, Look, Offset
from agents.protocol.workloads import WorkloadState
from apps.accounts.scopes import Scope
from apps.common import hub
from apps.common.ids import uuid7
from apps.common.sockets import TRY_LATER
from apps.fleet import services as fleet
from apps.fleet.models import Contact, Node
from apps.ingest import consumers, router, writers
from apps.telemetry import selectors as telemetry
from apps.telemetry import services as telemetry_services
from apps.telemetry.models import Block, LogChunk, MetricPoint
from apps.workloads.models import Workload
from tests import make
from tests.apps.fleet.hosts import device, inventory
from tests.apps.ingest import node as say
from tests.apps.ingest.node import FakeNode
from tests.apps.live.server import serving, until

pytestmark = pytest.mark.django_db(transaction=True)
S = WorkloadState


@pytest.fixture
def server(transactional_db):
    with serving() as address:
        yield address


@pytest.fixture
def node(server, settings, tmp_path):
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    return FakeNode(server)


@pytest.fixture
def link(node):
    with node.link() as opened:
        opened.greet()
        yield opened


@pytest.fixture
def workload(link, node):
    return node.workload()


def refused(url: str, headers: dict[str, str]) -> int:
    with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
        pass
    return caught.value.response.status_code


class TestTheHandshake:
    @pytest.mark.parametrize(
        "headers", [{}, {"Authorization": "Bearer no"}, {"Authorization": "Basic x"}]
    )
    def test_answers_401_to_who_is_no_node(self, server, headers):
        assert refused(f"ws://{server}/agent/v1/link", headers) == 401

    def test_takes_no_token_in_the_url_and_none_of_a_person(self, server, node):
        of_person = make.bearer(make.user(is_operator=True), Scope.ADMIN)
        for url, headers in (
            (f"ws://{server}/agent/v1/link?token={node.bearer}", {}),
            (f"ws://{server}/agent/v1/link", of_person),
        ):
            assert refused(url, headers) == 401

    def test_welcomes_a_node_that_says_hello(self, node):
        with node.link() as link:
            welcome = link.greet()

        assert (welcome.reports_through, welcome.blocks_through) == (0, 0)
        assert abs(welcome.server_time - time.time()) < 10
        assert Node.objects.get(pk=node.id).contact == Contact.FRESH

    def test_turns_away_an_agent_that_is_too_old_and_says_why(self, node):
        with node.link(protocol_version=-1) as link:
            with pytest.raises(ConnectionClosed, match="agent_too_old"):
                link.greet()

    def test_closes_on_a_node_that_does_not_say_hello(self, node, monkeypatch):
        monkeypatch.setattr(consumers, "HELLO_SECONDS", 0.05)
        with node.link() as link:
            assert link.close_code() == consumers.NO_HELLO

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ("text", consumers.UNREADABLE),
            (b"\xc1", consumers.UNREADABLE),
            (b"", consumers.UNREADABLE),
            (msgspec.msgpack.encode({"not": "a list"}), consumers.UNREADABLE),
            (msgspec.msgpack.encode([["heartbeat", {"sent_at": 1.0}]]), consumers.UNREADABLE),
            (bytes(MAX_FRAME_BYTES + 1), consumers.TOO_LARGE),
        ],
    )
    def test_closes_on_what_is_no_frame_and_on_anything_before_hello(self, node, frame, code):
        with node.link() as link:
            link.socket.send(frame)
            assert link.close_code() == code

    def test_closes_on_a_second_hello(self, link):
        with pytest.raises(ConnectionClosed, match="4400"):
            link.greet()


class TestReports:
    def test_move_the_workload_and_are_acknowledged(self, link, workload):
        ack = link.acked(say.report(workload, 1, S.STARTING), say.report(workload, 2, S.RUNNING))

        assert ack.reports_through == 2
        workload.refresh_from_db()
        assert workload.state == S.RUNNING

    def test_are_taken_once_however_often_they_are_sent(self, link, node, workload, monkeypatch):
        link.acked(say.report(workload, 7, S.RUNNING))
        taken = []
        monkeypatch.setattr(router.workloads, "apply_report", lambda **told: taken.append(told))

        ack = link.acked(say.report(workload, 7, S.FAILED), say.report(workload, 6, S.FAILED))

        assert (ack.reports_through, taken) == (7, [])
        with node.link() as again:
            assert again.greet().reports_through == 7

    def test_of_a_stale_fence_are_refused_and_still_acknowledged(self, link, workload):
        ack = link.acked(say.report(workload, 1, S.FAILED, fence=workload.gang.fence - 1))

        assert (ack.reports_through, ack.refused) == (1, [workload.id])
        workload.refresh_from_db()
        assert workload.state == S.STARTING

    def test_that_the_service_breaks_on_do_not_stop_the_next(self, link, workload, monkeypatch):
        whole = router.workloads.apply_report

        def broken(*, report, **rest):
            if report.seq == 1:
                raise ValueError("cannot be")
            whole(report=report, **rest)

        monkeypatch.setattr(router.workloads, "apply_report", broken)

        link.say(say.report(workload, 1, S.FAILED), say.report(workload, 2, S.RUNNING))

        until(lambda: link.hear(Ack).reports_through == 2)
        workload.refresh_from_db()
        assert workload.state == S.RUNNING


class TestLogsAndMetrics:
    def test_are_stored_and_acknowledged_by_offset(self, link, workload):
        ack = link.acked(
            say.chunk(workload, 0, b"hello "),
            say.batch(workload, 0, 40, 2.5, 1.5),
            say.chunk(workload, 6, b"world"),
        )

        assert ack.logs == [Offset(workload=workload.id, offset=11)]
        assert ack.metrics == [Offset(workload=workload.id, offset=40)]
        assert telemetry.log_slice(workload.id, 0, 100).data == b"hello world"
        through, series = telemetry.points(workload.id)
        assert through == 40
        assert [(step, value) for step, value, _ in series["loss"]] == [(0, 2.5), (1, 1.5)]

    def test_of_another_nodes_workload_are_refused_and_not_written(self, server, link, workload):
        other = FakeNode(server)
        with other.link() as stranger:
            stranger.greet()

            ack = stranger.acked(say.chunk(workload, 0, b"lies"), say.batch(workload, 0, 9, 0.0))

        assert ack.refused == [workload.id]
        assert (ack.logs, ack.metrics) == ([], [])
        assert not LogChunk.objects.exists()
        assert not MetricPoint.objects.exists()

    def test_of_a_stale_fence_or_an_unknown_workload_are_refused(self, link, workload):
        stale = say.chunk(workload, 0, b"x", fence=workload.gang.fence - 1)
        unknown = msgspec.structs.replace(stale, workload=workload.gang.id)

        ack = link.acked(stale, unknown)

        assert set(ack.refused) == {workload.id, workload.gang.id}
        assert not LogChunk.objects.exists()

    def test_are_taken_after_the_end_was_reported(self, link, workload):
        link.acked(say.report(workload, 1, S.RUNNING), say.report(workload, 2, S.FAILED))

        ack = link.acked(say.chunk(workload, 0, b"Traceback"))

        assert ack.logs == [Offset(workload=workload.id, offset=9)]

    def test_that_leave_a_hole_end_the_link_with_the_offset_to_go_on_from(
        self, link, node, workload
    ):
        link.acked(say.chunk(workload, 0, b"abc"))

        ack = link.acked(say.chunk(workload, 5, b"later"))

        assert ack.logs == [Offset(workload=workload.id, offset=3)]
        assert link.close_code() == consumers.OUT_OF_STEP

    def test_that_cannot_be_stored_are_a_counted_gap_and_spoil_nothing(
        self, link, workload, monkeypatch
    ):
        whole = telemetry_services.append_logs

        def broken(*, sent, at):
            if any(b"POISON" in entry.item.data for entry in sent):
                raise ValueError("cannot be stored")
            return whole(sent=sent, at=at)

        monkeypatch.setattr(router.telemetry, "append_logs", broken)

        link.say(
            say.chunk(workload, 0, b"one "),
            say.chunk(workload, 4, b"POISON"),
            say.chunk(workload, 10, b"two"),
            say.batch(workload, 0, 5, 1.0),
            say.heartbeat(),
        )

        until(lambda: Offset(workload=workload.id, offset=13) in link.hear(Ack).logs)
        first = telemetry.log_slice(workload.id, 0, 100)
        assert (first.data, first.dropped_bytes) == (b"one ", 6)
        assert telemetry.log_slice(workload.id, 4, 100).data == b"two"
        until(lambda: telemetry.points(workload.id)[0] == 5)  # each is committed by itself


class TestBlocks:
    def test_are_stored_once(self, link, node):
        data = blocks.pack(time.time(), 1.0, {("", "cpu_percent"): [1.0] * 10})

        ack = link.acked(say.block(1, data), say.block(2, data))
        again = link.acked(say.block(2, data), say.block(1, data), say.block(3, b"garbage"))

        assert (ack.blocks_through, again.blocks_through) == (2, 3)
        assert Block.objects.filter(node_id=node.id).count() == 2

    def test_are_filed_by_the_servers_clock(self, node):
        ahead = 3600.0
        data = blocks.pack(time.time() + ahead, 1.0, {("", "cpu_percent"): [1.0]})
        with node.link(sent_at=time.time() + ahead) as link:
            link.greet()
            link.acked(say.block(1, data))

        start = Block.objects.get(node_id=node.id).start_at
        assert abs(start - timezone.now()) < timedelta(seconds=30)


class TestTheRest:
    def test_a_heartbeat_renews_contact(self, link, node):
        Node.objects.filter(pk=node.id).update(contact=Contact.SUSPECT)

        link.acked(say.heartbeat())

        assert Node.objects.get(pk=node.id).contact == Contact.FRESH

    def test_readings_go_to_whoever_watches(self, server, link, node):
        headers = make.bearer(make.user())
        with connect(f"ws://{server}/live", additional_headers=headers) as browser:
            browser.send(json.dumps({"watch": f"node.{node.id}"}))
            json.loads(browser.recv(timeout=10))

            link.say(say.readings())

            body = json.loads(browser.recv(timeout=10))["body"]
        assert body["event"] == "sample"
        assert body["host"] == {"cpu_percent": 12.5, "load_1": None}
        assert body["processes"] == []
        assert body["at"].endswith("Z")

    def test_processes_go_with_them_ours_told_apart(self, server, link, node):
        headers = make.bearer(make.user())
        workload = uuid7()
        ours = DeviceProcess(device="GPU-1", pid=7, memory_used_bytes=1 << 30, workload=workload)
        stranger = DeviceProcess(device="GPU-1", pid=9, kind="graphics", name="Xorg")
        with connect(f"ws://{server}/live", additional_headers=headers) as browser:
            browser.send(json.dumps({"watch": f"node.{node.id}"}))
            json.loads(browser.recv(timeout=10))

            link.say(msgspec.structs.replace(say.readings(), processes=[ours, stranger]))

            told = json.loads(browser.recv(timeout=10))["body"]["processes"]
        assert told == [
            {
                "device": "GPU-1",
                "pid": 7,
                "memory_used_bytes": 1 << 30,
                "kind": "compute",
                "name": "",
                "workload": str(workload),
            },
            {
                "device": "GPU-1",
                "pid": 9,
                "memory_used_bytes": None,
                "kind": "graphics",
                "name": "Xorg",
                "workload": None,
            },
        ]

    def test_readings_of_all_nodes_come_together_once_a_second(self, server, node):
        devices = [device("GPU-b", index=1), device("GPU-a", index=1), device("GPU-c")]
        gpu = {
            "utilization_percent": 97.4,
            "memory_used_bytes": 30.0,
            "memory_total_bytes": 80.0,
            "temperature_celsius": 61.0,
            "power_watts": 512.6,
        }
        headers = make.bearer(make.user())
        with (
            node.link(inventory=inventory(devices=devices)) as link,
            connect(f"ws://{server}/live", additional_headers=headers) as browser,
        ):
            browser.send(json.dumps({"watch": "fleet.live"}))
            json.loads(browser.recv(timeout=10))
            link.greet()

            link.say(msgspec.structs.replace(say.readings(), devices={"GPU-a": gpu}))

            body = json.loads(browser.recv(timeout=10))["body"]
        gap = [None] * 4
        assert body["event"] == "fleet.samples"
        assert body["nodes"] == {str(node.id): [gap, [97, 0.38, 61, 513], gap]}
        assert abs(body["at"] - time.time()) < 10

    def test_unknown_and_unreadable_items_spoil_nothing(self, link, workload):
        known = msgspec.msgpack.decode(
            msgspec.msgpack.encode(say.chunk(workload, 0, b"x")), type=msgspec.Raw
        )
        link.socket.send(
            msgspec.msgpack.encode(
                [["from_the_future", {"a": 1}], ["workload", {"seq": "x"}], ["log", known]]
            )
        )

        until(lambda: link.hear(Ack).logs == [Offset(workload=workload.id, offset=1)])

    def test_a_node_is_told_to_look(self, link, node):
        link.acked(say.heartbeat())
        link.hear_nothing_more()
        hub.tell(f"link.{node.id}", {"look": True})

        link.hear(Look)

    def test_the_newest_link_of_a_node_is_the_one(self, link, node):
        with node.link() as newer:
            newer.greet()

            assert link.close_code() == consumers.REPLACED
            newer.acked(say.heartbeat())

    def test_a_removed_node_is_hung_up_on(self, link, node):
        user = make.user(is_operator=True)
        fleet.remove(node_id=node.id, actor=user.actor, at=timezone.now())

        assert link.close_code() == consumers.REMOVED


class TestTrouble:
    def test_nothing_is_acknowledged_while_the_database_is_away(
        self, link, node, workload, monkeypatch
    ):
        away = threading.Event()
        away.set()
        whole = router.write

        def write(entries, *, at):
            if away.is_set():
                raise OperationalError("the connection is lost")
            return whole(entries, at=at)

        monkeypatch.setattr(router, "write", write)
        link.hear_nothing_more()

        link.say(say.chunk(workload, 0, b"kept by the node"))

        assert link.close_code() == TRY_LATER
        assert not LogChunk.objects.exists()
        away.clear()
        with node.link() as again:
            again.greet()
            ack = again.acked(say.chunk(workload, 0, b"kept by the node"))
        assert ack.logs == [Offset(workload=workload.id, offset=16)]

    def test_a_restarted_database_is_met_with_fresh_connections(self, node, link, workload):
        link.acked(say.chunk(workload, 0, b"a"))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        def stored() -> bool:
            """The pool pauses after each dead connection it finds, longer each time: after many
            of them the node may be told to come again first."""
            try:
                with node.link() as again:
                    again.greet()
                    return again.acked(say.chunk(workload, 1, b"b")).logs[0].offset == 2
            except (ConnectionClosed, InvalidStatus, TimeoutError):
                return False

        until(stored, 60)

    def test_a_full_queue_stops_the_reading_and_loses_nothing(self, link, workload, monkeypatch):
        monkeypatch.setattr(writers, "BATCH_BYTES", 1)
        monkeypatch.setattr(writers, "PERIOD_SECONDS", 0.0)
        lane = writers.pool()._lanes[link.node.id.int % writers.THREADS]
        lane._most = 300_000
        held, whole = threading.Event(), router.write

        def write(entries, *, at):
            assert held.wait(20)
            return whole(entries, at=at)

        monkeypatch.setattr(router, "write", write)
        size, count = 100_000, 200
        total = size * count

        def flood():
            for number in range(count):
                link.say(say.chunk(workload, number * size, bytes(size)))

        sender = threading.Thread(target=flood)
        sender.start()
        until(lambda: lane._waiting)
        sender.join(0.3)
        assert sender.is_alive(), "the socket was read on"
        assert lane._bytes <= 300_000
        held.set()

        until(lambda: Offset(workload=workload.id, offset=total) in link.hear(Ack).logs, 60)
        sender.join(10)
        assert Workload.objects.get(pk=workload.id).state == S.STARTING
        assert telemetry.log_slice(workload.id, 0, 1).stored == total
