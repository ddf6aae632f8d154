import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from agents.protocol import PROTOCOL_VERSION
from agents.protocol.base import Reason, Resources
from agents.protocol.link import Hello, Inventory, Isolation
from apps.accounts import credentials
from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from apps.common.errors import DomainError, NotFound
from apps.common.guards import guard_deletion
from apps.fleet import services
from apps.fleet.inventory import InventoryRefused
from apps.fleet.models import Contact, Device, JoinToken, Node
from tests import make
from tests.apps.fleet.hosts import GIB, Host, device, inventory, invite
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Host:
    return Host()


class TestJoining:
    def test_gives_the_host_an_identity_for_its_key(self, host: Host) -> None:
        answer = host.join()

        node = Node.objects.get()
        assert (answer.node, answer.name) == (node.id, "alpha")
        assert base64.b64encode(node.public_key).decode() == host.public_key
        assert (node.cpu_millis, node.memory_bytes) == (8000, 16 * GIB)
        assert {d.uuid for d in node.devices.all()} == {"GPU-1", "GPU-2"}

    def test_is_audited_without_secrets(self, host: Host) -> None:
        token = invite()
        answer = services.join(request=host.request(token), at=NOON)

        told = str(list(Entry.objects.values_list("action", "actor_name", "detail")))
        assert "node.join" in told
        assert "join_token.create" in told
        assert token not in told
        assert answer.broker
        assert answer.broker.password not in told

    def test_makes_the_broker_secret_here_and_keeps_only_its_hash(
        self, host: Host, settings
    ) -> None:
        settings.NODE_BROKER_URL = "redis://broker:6379/0"
        answer = host.join()

        node = Node.objects.get()
        assert answer.broker
        assert answer.broker.url == "redis://broker:6379/0"
        assert answer.broker.username == f"node-{node.id}"
        assert node.broker_secret_sha256 == credentials.sha256(answer.broker.password)

    def test_gives_no_broker_where_there_is_none_for_nodes(self, host: Host, settings) -> None:
        settings.NODE_BROKER_URL = ""

        assert host.join().broker is None
        assert Node.objects.get().broker_secret_sha256 == ""

    def test_tells_the_keys_that_orders_are_signed_with(
        self, host: Host, settings, tmp_path
    ) -> None:
        settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
        key = services.ensure_signing_key()

        assert host.join().signing_keys == {key.kid: base64.b64encode(key.public_key).decode()}

    def test_makes_the_name_unique(self) -> None:
        assert [Host().join().name for _ in range(3)] == ["alpha", "alpha-2", "alpha-3"]

    def test_gives_the_name_of_a_removed_node_again(self) -> None:
        services.remove(node_id=Host().join().node, actor=SYSTEM, at=NOON)

        assert Host().join().name == "alpha"

    @pytest.mark.parametrize(
        ("wish", "name"),
        [
            ("../etc passwd", "etc-passwd"),
            ("", "gpu-host"),
            ("éé", "gpu-host"),
            ("n" * 500, "n" * 80),
        ],
    )
    def test_takes_only_what_is_usable_of_a_name(self, host: Host, wish: str, name: str) -> None:
        assert host.join(name=wish).name == name


class TestJoinToken:
    def test_is_kept_as_a_hash(self) -> None:
        text = invite()

        assert JoinToken.objects.get().secret_sha256 == credentials.sha256(text)

    def test_is_good_once(self, host: Host) -> None:
        token = invite()
        services.join(request=host.request(token), at=NOON)

        with pytest.raises(services.JoinTokenUsed):
            services.join(request=host.request(token), at=NOON)

    def test_ends_after_a_quarter_of_an_hour(self, host: Host) -> None:
        token = invite()

        with pytest.raises(services.JoinTokenExpired):
            services.join(request=host.request(token), at=NOON + timedelta(minutes=15))

    def test_that_nobody_made_is_refused(self, host: Host) -> None:
        with pytest.raises(services.JoinTokenUnknown):
            services.join(request=host.request("dhj_" + "x" * 43), at=NOON)

    def test_survives_a_request_that_is_refused(self, host: Host) -> None:
        token = invite()
        with pytest.raises(services.PublicKeyRefused):
            services.join(request=host.request(token, public_key="AAAA"), at=NOON)

        services.join(request=host.request(token), at=NOON)

    @pytest.mark.django_db(transaction=True)
    def test_lets_one_of_twenty_in_that_come_at_once(self) -> None:
        token = invite()

        def attempt(_: int) -> str:
            try:
                services.join(request=Host().request(token), at=NOON)
            except DomainError as error:
                return error.code
            finally:
                connection.close()
            return "in"

        with ThreadPoolExecutor(20) as pool:
            told = list(pool.map(attempt, range(20)))

        assert sorted(told) == ["in"] + 19 * ["join_token_used"]
        assert Node.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_each_lets_its_node_in_when_all_want_one_name(self) -> None:
        tokens = [invite() for _ in range(6)]

        def attempt(token: str) -> str:
            try:
                return services.join(request=Host().request(token), at=NOON).name
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            names = list(pool.map(attempt, tokens))

        assert sorted(names) == ["alpha", *(f"alpha-{n}" for n in range(2, 7))]


ODD_INVENTORIES = {
    "no CPU": inventory(cpu_millis=0),
    "a negative CPU": inventory(cpu_millis=-1),
    "more CPU than there is": inventory(cpu_millis=2**31),
    "no memory": inventory(memory_bytes=0),
    "more memory than a column holds": inventory(memory_bytes=2**63),
    "negative disk": inventory(disk_bytes=-1),
    "a long host name": inventory(hostname="h" * 256),
    "a NUL in the host name": inventory(hostname="a\0b"),
    "many devices": inventory(devices=[device(f"GPU-{n}") for n in range(257)]),
    "a device twice": inventory(devices=[device("GPU-1"), device("GPU-1")]),
    "a device without a name of its own": inventory(devices=[device("")]),
    "a negative index": inventory(devices=[device("GPU-1", index=-1)]),
    "a long device name": inventory(devices=[device("GPU-1", name="n" * 129)]),
    "a NUL in a fact": inventory(facts={"driver": "\0"}),
    "a NUL in a fact's name": inventory(facts={"\0": 1}),
    "a long fact": inventory(facts={"driver": "x" * 1001}),
    "many facts": inventory(facts={f"fact-{n}": n for n in range(300)}),
    "facts that are no number": inventory(facts={"load": float("nan")}),
    "deep facts": inventory(facts={"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}),
    "facts of a device": inventory(devices=[device("GPU-1", facts={"x": "y" * 1001})]),
}


class TestInventory:
    @pytest.mark.parametrize("odd", ODD_INVENTORIES.values(), ids=ODD_INVENTORIES)
    def test_that_no_host_has_is_refused(self, host: Host, odd: Inventory) -> None:
        with pytest.raises(InventoryRefused):
            host.join(inventory=odd)

        assert not Node.objects.exists()

    def test_with_facts_of_many_kinds_is_taken(self, host: Host) -> None:
        facts = {"cuda": "13.0", "mig": False, "list": [1, 2.5, None], "torch": {"version": "2.13"}}
        host.join(inventory=inventory(facts=facts))

        assert Node.objects.get().facts == facts


class TestPublicKey:
    @pytest.mark.parametrize(
        "text", ["", "AAAA", "not base64!", base64.b64encode(bytes(33)).decode()]
    )
    def test_that_is_none_is_refused(self, host: Host, text: str) -> None:
        with pytest.raises(services.PublicKeyRefused):
            host.join(public_key=text)


class TestNodeToken:
    def test_is_had_for_a_signed_nonce(self, host: Host) -> None:
        node = host.join().node
        nonce = services.challenge(node_id=node, at=NOON)
        answer = services.issue_node_token(request=host.answer(node, nonce), at=NOON)

        assert services.node_of_token(answer.token, at=NOON) == Node.objects.get()
        assert answer.server_time == NOON.timestamp()

    def test_ends_after_a_quarter_of_an_hour(self, host: Host) -> None:
        token = self.token(host)

        late = NOON + timedelta(minutes=15)
        assert services.node_of_token(token, at=late - timedelta(seconds=1)) is not None
        assert services.node_of_token(token, at=late) is None

    def test_is_not_had_twice_for_one_nonce(self, host: Host) -> None:
        node = host.join().node
        request = host.answer(node, services.challenge(node_id=node, at=NOON))
        services.issue_node_token(request=request, at=NOON)

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=request, at=NOON)

    def test_is_not_had_for_an_old_nonce(self, host: Host) -> None:
        node = host.join().node
        request = host.answer(node, services.challenge(node_id=node, at=NOON))

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=request, at=NOON + timedelta(seconds=61))

    def test_is_not_had_for_a_nonce_that_nobody_gave(self, host: Host) -> None:
        node = host.join().node

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=host.answer(node, "of my own"), at=NOON)

    def test_is_not_had_for_another_nodes_nonce(self, host: Host) -> None:
        node, other = host.join().node, Host().join().node
        nonce = services.challenge(node_id=other, at=NOON)

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=host.answer(node, nonce), at=NOON)

    def test_is_not_had_with_another_nodes_key(self, host: Host) -> None:
        host.join()
        other = Host().join().node
        nonce = services.challenge(node_id=other, at=NOON)

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=host.answer(other, nonce), at=NOON)

    def test_is_not_had_by_a_node_that_never_was(self, host: Host) -> None:
        nobody = uuid4()
        nonce = services.challenge(node_id=nobody, at=NOON)

        with pytest.raises(services.NodeCredentialRefused):
            services.issue_node_token(request=host.answer(nobody, nonce), at=NOON)

    def test_is_not_had_by_a_removed_node_which_is_told_so(self, host: Host) -> None:
        node = host.join().node
        services.remove(node_id=node, actor=SYSTEM, at=NOON)
        nonce = services.challenge(node_id=node, at=NOON)

        with pytest.raises(services.NodeRemoved):
            services.issue_node_token(request=host.answer(node, nonce), at=NOON)

    def test_of_a_removed_node_is_void_at_once(self, host: Host) -> None:
        token = self.token(host)
        services.remove(node_id=Node.objects.get().id, actor=SYSTEM, at=NOON)

        assert services.node_of_token(token, at=NOON) is None

    def test_cannot_be_altered(self, host: Host) -> None:
        token = self.token(host)
        other = Host().join().node

        assert services.node_of_token(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
        forged = token.replace(Node.objects.exclude(pk=other).get().id.hex, other.hex)
        assert forged != token
        assert services.node_of_token(forged, at=NOON) is None

    def test_is_not_a_nonce(self, host: Host) -> None:
        node = host.join().node

        assert services.node_of_token("dhn_" + services.challenge(node_id=node, at=NOON)) is None

    @pytest.mark.parametrize("text", ["", "dhn_", "dhn_x", "dh_abc", "dhn_~~~", "dhn_a.b.c~d"])
    def test_is_no_garbage(self, text: str) -> None:
        assert services.node_of_token(text, at=NOON) is None

    @staticmethod
    def token(host: Host) -> str:
        node = host.join().node
        nonce = services.challenge(node_id=node, at=NOON)
        return services.issue_node_token(request=host.answer(node, nonce), at=NOON).token


def hello(**changes: object) -> Hello:
    plain = Hello(
        protocol_version=PROTOCOL_VERSION,
        agent_version="1.2.3",
        boot_id="boot-1",
        sent_at=NOON.timestamp(),
        inventory=inventory(),
    )
    return msgspec.structs.replace(plain, **changes)


def say(node: Node, **changes: object) -> None:
    services.hello(node_id=node.id, hello=hello(**changes), at=NOON)
    node.refresh_from_db()


class TestHello:
    def test_makes_contact_and_tells_how_far_the_reports_got(self) -> None:
        node = make.node(contact=Contact.SUSPECT.value, reports_through=7, blocks_through=3)
        welcome = services.hello(node_id=node.id, hello=hello(), at=NOON)

        node.refresh_from_db()
        assert (node.contact, node.last_contact_at) == (Contact.FRESH, NOON)
        assert (node.boot_id, node.agent_version, node.hostname) == ("boot-1", "1.2.3", "gpu-host")
        assert (welcome.reports_through, welcome.blocks_through) == (7, 3)
        assert welcome.server_time == NOON.timestamp()

    def test_measures_the_nodes_clock(self) -> None:
        node = make.node()
        say(node, sent_at=NOON.timestamp() - 31.5)

        assert node.clock_offset_ms == -31_500

    @pytest.mark.parametrize(("sent_at", "offset"), [(1e300, 2**31 - 1), (-1e300, -(2**31) + 1)])
    def test_takes_a_clock_that_is_far_off(self, sent_at: float, offset: int) -> None:
        node = make.node()
        say(node, sent_at=sent_at)

        assert node.clock_offset_ms == offset

    def test_without_a_clock_is_refused(self) -> None:
        with pytest.raises(InventoryRefused):
            say(make.node(), sent_at=float("nan"))

    def test_adds_and_changes_devices_and_keeps_those_that_are_gone_as_absent(self) -> None:
        node = make.node()
        say(node, inventory=inventory(devices=[device("GPU-1"), device("GPU-2")]))
        first = Device.objects.get(uuid="GPU-1").id
        say(node, inventory=inventory(devices=[device("GPU-1", name="H200", index=3)]))

        assert dict(node.devices.values_list("uuid", "present")) == {"GPU-1": True, "GPU-2": False}
        changed = Device.objects.get(uuid="GPU-1")
        assert (changed.id, changed.name, changed.index) == (first, "H200", 3)

    def test_brings_an_absent_device_back(self) -> None:
        node = make.node()
        say(node)
        say(node, inventory=inventory(devices=[]))
        say(node)

        assert all(node.devices.values_list("present", flat=True))

    def test_cannot_take_another_nodes_device(self) -> None:
        owner, thief = make.node(), make.node()
        say(owner)
        say(thief)

        assert owner.devices.filter(present=True).count() == 2

    def test_from_a_newer_agent_is_answered_in_our_version(self) -> None:
        node = make.node()
        welcome = services.hello(
            node_id=node.id, hello=hello(protocol_version=PROTOCOL_VERSION + 1), at=NOON
        )

        assert welcome.protocol_version == PROTOCOL_VERSION

    def test_from_an_agent_that_is_too_old_is_refused(self) -> None:
        with pytest.raises(services.AgentTooOld):
            say(make.node(), protocol_version=PROTOCOL_VERSION - 2)

    def test_of_a_removed_node_is_refused(self) -> None:
        with pytest.raises(NotFound):
            say(make.node(removed_at=NOON))

    def test_tells_what_jobs_are_kept_from_and_when_that_changes(self) -> None:
        node = make.node()
        reason = Reason(code="isolation_not_installed")
        say(node)
        assert node.isolation is None  # an older agent does not tell

        say(node, inventory=inventory(isolation=Isolation(profile="none", reason=reason)))
        assert node.isolation == {
            "profile": "none",
            "reason": {"code": "isolation_not_installed"},
        }
        say(node, inventory=inventory(isolation=Isolation(profile="bwrap", limits=["memory"])))
        say(node, inventory=inventory(isolation=Isolation(profile="bwrap")))

        (event,) = node.events.filter(kind="isolation")
        assert event.detail == {"from": "none", "to": "bwrap"}

    @pytest.mark.parametrize(
        "hostile",
        [
            Isolation(profile="x" * 33),
            Isolation(profile="a\0"),
            Isolation(profile="none", reason=Reason(code="x" * 101)),
            Isolation(profile="none", reason=Reason(code="x", params={"a": "x" * 1001})),
            Isolation(profile="bwrap", limits=["x"] * 17),
            Isolation(profile="bwrap", limits=["x" * 33]),
        ],
    )
    def test_takes_no_isolation_that_cannot_be(self, hostile: Isolation) -> None:
        with pytest.raises(InventoryRefused):
            say(make.node(), inventory=inventory(isolation=hostile))


class TestShrinking:
    """A node comes back with less than what is reserved on it."""

    def test_never_goes_below_what_is_reserved_and_takes_no_more(self) -> None:
        node = make.node(reserved_cpu_millis=6000, reserved_memory_bytes=12 * GIB)
        say(node, inventory=inventory(cpu_millis=4000, memory_bytes=8 * GIB))

        assert (node.cpu_millis, node.memory_bytes) == (6000, 12 * GIB)
        with pytest.raises(services.NoRoom):
            services.reserve(node_id=node.id, resources=Resources(cpu_millis=1, memory_bytes=1))

    def test_shrinks_as_the_work_ends(self) -> None:
        node = make.node(reserved_cpu_millis=6000, reserved_memory_bytes=12 * GIB)
        say(node, inventory=inventory(cpu_millis=4000, memory_bytes=8 * GIB))
        third = Resources(cpu_millis=2000, memory_bytes=4 * GIB)

        for cpu, memory in [(4000, 8), (4000, 8), (4000, 8)]:
            services.release(node_id=node.id, resources=third)
            node.refresh_from_db()
            assert (node.cpu_millis, node.memory_bytes) == (cpu, memory * GIB)
        assert node.reserved_cpu_millis == 0

    def test_is_whole_again_when_the_node_is(self) -> None:
        node = make.node(reserved_cpu_millis=6000, reserved_memory_bytes=12 * GIB)
        say(node, inventory=inventory(cpu_millis=4000, memory_bytes=8 * GIB))
        say(node)
        services.release(
            node_id=node.id, resources=Resources(cpu_millis=6000, memory_bytes=12 * GIB)
        )

        node.refresh_from_db()
        assert (node.cpu_millis, node.memory_bytes) == (8000, 16 * GIB)


class TestRoom:
    def test_is_reserved_and_released(self) -> None:
        node = make.node()
        half = Resources(cpu_millis=4000, memory_bytes=8 * GIB)
        services.reserve(node_id=node.id, resources=half)
        services.reserve(node_id=node.id, resources=half)
        with pytest.raises(services.NoRoom):
            services.reserve(node_id=node.id, resources=Resources(cpu_millis=1, memory_bytes=1))
        services.release(node_id=node.id, resources=half)

        node.refresh_from_db()
        assert (node.reserved_cpu_millis, node.reserved_memory_bytes) == (4000, 8 * GIB)

    @pytest.mark.parametrize(
        "state",
        [{"cordoned_at": NOON}, {"removed_at": NOON}, {"contact": Contact.SUSPECT.value}],
        ids=["cordoned", "removed", "suspect"],
    )
    def test_is_not_kept_on_a_node_that_takes_no_work(self, state: dict[str, object]) -> None:
        node = make.node(**state)

        with pytest.raises(services.NoRoom):
            services.reserve(node_id=node.id, resources=Resources(cpu_millis=1, memory_bytes=1))

    def test_is_guarded_by_the_database_itself(self) -> None:
        node = make.node()

        with pytest.raises(IntegrityError), transaction.atomic():
            Node.objects.filter(pk=node.pk).update(reserved_cpu_millis=8001)

    def test_released_twice_is_refused_by_the_database(self) -> None:
        node = make.node()

        with pytest.raises(DatabaseError), transaction.atomic():
            services.release(node_id=node.id, resources=Resources(cpu_millis=1, memory_bytes=1))

    @pytest.mark.django_db(transaction=True)
    def test_is_never_given_twice(self) -> None:
        node = make.node()
        third = Resources(cpu_millis=3000, memory_bytes=GIB)

        def attempt(_: int) -> bool:
            try:
                services.reserve(node_id=node.id, resources=third)
            except services.NoRoom:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(16))) == 2


class TestContact:
    def test_is_lost_after_forty_seconds_of_silence(self) -> None:
        silent = make.node(last_contact_at=NOON - timedelta(seconds=41))
        heard = make.node(last_contact_at=NOON - timedelta(seconds=39))
        services.mark_silent_nodes(at=NOON)

        silent.refresh_from_db()
        heard.refresh_from_db()
        assert (silent.contact, heard.contact) == (Contact.SUSPECT, Contact.FRESH)

    def test_leaves_what_the_node_runs_alone(self) -> None:
        node = make.node(last_contact_at=NOON - timedelta(days=9), reserved_cpu_millis=1000)
        services.mark_silent_nodes(at=NOON)

        node.refresh_from_db()
        assert node.reserved_cpu_millis == 1000

    def test_is_renewed_for_many_at_once(self, django_assert_num_queries) -> None:
        nodes = [make.node(contact=Contact.SUSPECT.value) for _ in range(5)]
        with django_assert_num_queries(4):  # savepoint, the update, what happened, savepoint
            services.renew_contact(node_ids=[n.id for n in nodes], at=NOON + timedelta(hours=1))

        assert set(Node.objects.values_list("contact", "last_contact_at")) == {
            (Contact.FRESH, NOON + timedelta(hours=1))
        }

    def test_of_a_removed_node_is_not_renewed(self) -> None:
        node = make.node(contact=Contact.SUSPECT.value, removed_at=NOON)
        services.renew_contact(node_ids=[node.id], at=NOON)

        node.refresh_from_db()
        assert node.contact == Contact.SUSPECT

    def test_is_told_when_it_changes_and_only_then(
        self, django_capture_on_commit_callbacks
    ) -> None:
        suspect, fresh = make.node(contact=Contact.SUSPECT.value), make.node()
        with django_capture_on_commit_callbacks() as told:
            services.renew_contact(node_ids=[suspect.id, fresh.id], at=NOON)

        assert len(told) == 1


class TestEvents:
    def kinds(self, node: Node) -> list[tuple[str, dict[str, str]]]:
        return list(node.events.order_by("at", "id").values_list("kind", "detail"))

    def test_tell_of_a_reboot_and_of_another_agent(self) -> None:
        node = make.node()
        say(node)
        say(node)
        say(node, boot_id="boot-2")
        say(node, boot_id="boot-2", agent_version="1.2.4")

        assert self.kinds(node) == [
            ("rebooted", {}),
            ("upgraded", {"from": "1.2.3", "to": "1.2.4"}),
        ]

    def test_tell_of_contact_that_was_lost_and_made_again(self) -> None:
        node = make.node()
        services.mark_silent_nodes(at=NOON + timedelta(minutes=1))
        services.mark_silent_nodes(at=NOON + timedelta(minutes=2))
        say(node)

        assert self.kinds(node) == [
            ("contact", {"from": "suspect", "to": "fresh"}),
            ("contact", {"from": "fresh", "to": "suspect"}),
        ]

    def test_are_forgotten_by_age_and_beyond_so_many_of_one_node(self, monkeypatch) -> None:
        monkeypatch.setattr(services, "MOST_EVENTS", 3)
        one, other = make.node(), make.node(contact=Contact.SUSPECT.value)
        services.renew_contact(node_ids=[other.id], at=NOON)
        for day in range(5):
            services.cordon(
                node_id=one.id, actor=SYSTEM, at=NOON + timedelta(days=day), reason=str(day)
            )

        assert services.forget_events(before=NOON - timedelta(days=1)) == 2
        assert [detail["reason"] for _, detail in self.kinds(one)] == ["2", "3", "4"]
        assert services.forget_events(before=NOON + timedelta(days=3)) == 2
        assert [detail["reason"] for _, detail in self.kinds(one)] == ["3", "4"]

    def test_begin_with_what_the_audit_knows(self) -> None:
        node = make.node()
        services.cordon(node_id=node.id, actor=SYSTEM, at=NOON)
        services.uncordon(node_id=node.id, actor=SYSTEM, at=NOON)
        services.remove(node_id=node.id, actor=SYSTEM, at=NOON)
        node.events.all().delete()

        with connection.cursor() as cursor:
            cursor.execute(import_module("apps.fleet.migrations.0004_node_events").FILL)

        assert [kind for kind, _ in self.kinds(node)] == ["cordoned", "uncordoned", "removed"]
        assert {event.actor_name for event in node.events.all()} == {SYSTEM.name}

    def test_the_node_that_used_an_invitation_is_told(
        self, host: Host, told, django_capture_on_commit_callbacks
    ) -> None:
        token = invite()
        with django_capture_on_commit_callbacks(execute=True):
            answer = services.join(request=host.request(token), at=NOON)

        (event,) = [m for topic, m in told if topic == "fleet" and m["event"] == "node.joined"]
        assert (event["node_id"], event["node_name"]) == (answer.node, "alpha")
        assert event["join_token_id"] == JoinToken.objects.get(node=answer.node).id


class TestSeen:
    def test_rises_and_never_falls(self) -> None:
        node = make.node()
        services.raise_seen(node_id=node.id, reports_through=9)
        services.raise_seen(node_id=node.id, reports_through=4, blocks_through=2)

        node.refresh_from_db()
        assert (node.reports_through, node.blocks_through) == (9, 2)


class TestCordon:
    def test_and_uncordon_are_audited_once_each(self) -> None:
        node = make.node()
        for _ in range(2):
            services.cordon(node_id=node.id, actor=SYSTEM, at=NOON)
        assert Node.objects.get().cordoned_at == NOON
        for _ in range(2):
            services.uncordon(node_id=node.id, actor=SYSTEM, at=NOON)

        assert Node.objects.get().cordoned_at is None
        assert list(Entry.objects.order_by("seq").values_list("action", flat=True)) == [
            "node.cordon",
            "node.uncordon",
        ]

    def test_of_a_node_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(NotFound):
            services.cordon(node_id=uuid4(), actor=SYSTEM, at=NOON)


class TestRemoving:
    def test_a_node_with_work_is_refused(self) -> None:
        node = make.node(reserved_cpu_millis=1000)

        with pytest.raises(services.NodeBusy):
            services.remove(node_id=node.id, actor=SYSTEM, at=NOON)

    def test_asks_those_who_use_nodes(self) -> None:
        class StillMine(DomainError):
            pass

        node = make.node()

        @guard_deletion(Node)
        def refuse(asked: Node) -> None:
            if asked.id == node.id:
                raise StillMine

        with pytest.raises(StillMine):
            services.remove(node_id=node.id, actor=SYSTEM, at=NOON)

    def test_is_audited(self) -> None:
        services.remove(node_id=make.node().id, actor=SYSTEM, at=NOON)

        assert Entry.objects.get().action == "node.remove"
