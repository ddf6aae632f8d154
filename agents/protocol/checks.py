"""What `doctor` finds, on a node and beside the control plane: one shape for both."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it works, but not as well or not for long
    FAILED = "failed"
    NOT_HERE = "not here"  # does not apply to this host


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at, in one line, and what to do about it."""

    name: str
    outcome: Outcome
    found: str
    fix: str = ""


def ok(name: str, found: str) -> Check:
    return Check(name, Outcome.OK, found)


def warning(name: str, found: str, fix: str) -> Check:
    return Check(name, Outcome.WARNING, found, fix)


def failed(name: str, found: str, fix: str) -> Check:
    return Check(name, Outcome.FAILED, found, fix)


def not_here(name: str, found: str, fix: str = "") -> Check:
    return Check(name, Outcome.NOT_HERE, found, fix)


def skew(name: str, seconds: float) -> Check:
    """How far this host's clock is ahead of the control plane's."""
    found = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the control plane"
    fix = "Set the clock by the network: timedatectl set-ntp true"
    if abs(seconds) > MOST_SKEW_SECONDS:
        return failed(name, found, fix)
    if abs(seconds) > WORTH_SAYING_SECONDS:
        return warning(name, found, fix)
    return ok(name, found)


MOST_SKEW_SECONDS = 30.0  # envelopes allow no more
WORTH_SAYING_SECONDS = 3.0
