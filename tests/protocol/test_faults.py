"""What is done about a fault of a device: the table, as an operator would check it."""

import pytest

from agents.protocol.faults import NAMED, XIDS, Action, FaultKind, code_of, verdict
from apps.common.messages import LANGUAGES, catalogue


@pytest.mark.parametrize(
    ("xid", "action", "ends_work"),
    [
        (13, "restart", False),  # the program's own
        (31, "restart", False),
        (43, "restart", False),
        (45, "note", False),
        (48, "reset", True),  # double bit ECC
        (63, "drain", False),  # rows are replaced at the next reset
        (64, "replace", True),
        (74, "reset", True),  # NVLink
        (79, "replace", True),  # fell off the bus
        (92, "note", False),
        (94, "restart", True),  # contained: hits the program, not the card
        (95, "reset", True),  # uncontained
        (119, "reset", True),
        (120, "reset", True),
        (999, "note", False),  # of no catalogue
    ],
)
def test_an_xid_asks_for(xid: int, action: str, ends_work: bool) -> None:
    found = verdict("xid", xid)

    assert (found.action, found.ends_work) == (action, ends_work)


@pytest.mark.parametrize(
    ("kind", "action", "ends_work"),
    [
        ("lost", "replace", True),
        ("double_bit_ecc", "reset", True),
        ("ecc_storm", "note", False),
        ("rows_pending", "drain", False),
        ("rows_failed", "replace", True),
        ("not_free", "drain", False),
        ("driver_hangs", "drain", False),
        ("driver_answers", "note", False),
        ("invented_later", "note", False),
    ],
)
def test_a_fault_asks_for(kind: str, action: str, ends_work: bool) -> None:
    found = verdict(kind, None)

    assert (found.action, found.ends_work) == (action, ends_work)


def test_every_kind_is_judged_on_purpose() -> None:
    for kind in FaultKind:
        assert (
            kind is FaultKind.XID
            or verdict(kind, None) is not verdict("unknown", None)
            or (kind in {FaultKind.ECC_STORM, FaultKind.DRIVER_ANSWERS})
        )


def test_what_ends_work_is_never_only_noted() -> None:
    assert not [xid for xid, found in XIDS.items() if found.ends_work and found.action == "note"]


def test_keeping_work_away_is_for_what_somebody_has_to_see_to() -> None:
    assert [action for action in Action if action.keeps_work_away] == ["drain", "reset", "replace"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_has_a_sentence(language: str) -> None:
    codes = {code_of(kind, xid) for kind in FaultKind for xid in (None, 1, *NAMED)}

    assert codes <= set(catalogue(language))
