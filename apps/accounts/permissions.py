"""What each action needs, said in its viewset. A viewset without `needs` answers nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from apps.accounts.models import Token, User
from apps.accounts.principals import Principal, RunPrincipal
from apps.accounts.scopes import Scope, covers
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError

M = TypeVar("M", bound=models.Model)


class ScopeNeeded(DomainError):
    """The token does not reach as far as this."""

    status = 403


class OperatorNeeded(DomainError):
    """Only operators of the installation may do this."""

    status = 403


class PersonNeeded(DomainError):
    """A run's token cannot do this; a person has to."""

    status = 403


class Access(StrEnum):
    """What an action outside any project needs."""

    SIGNED_IN = "signed_in"  # any person
    OPERATOR = "operator"


SIGNED_IN = Access.SIGNED_IN
OPERATOR = Access.OPERATOR


def principal_of(request: Request) -> Principal:
    """Who is asking; somebody always is, behind a view that needs authentication."""
    principal = cast(Any, request.user)
    if isinstance(principal, User | RunPrincipal):
        return principal
    raise NotAuthenticated


def actor_of(request: Request) -> Actor:
    """Who is asking, as services and the audit want it."""
    return principal_of(request).actor


def person_of(request: Request) -> User:
    """The person who is asking; a run is refused."""
    principal = principal_of(request)
    if not isinstance(principal, User):
        raise PersonNeeded
    return principal


def check_scope(request: Request, needed: Scope) -> None:
    """Refuse a token that does not reach that far; a session reaches as far as its person."""
    if isinstance(request.auth, Token) and not covers(request.auth.scopes, needed):
        raise ScopeNeeded(scope=needed.value)


def scope_of(request: Request) -> Scope:
    """What a request needs by its method alone."""
    return Scope.READ if request.method in SAFE_METHODS else Scope.WRITE


class DeclaredViewSet(GenericViewSet[M], Generic[M]):
    """A noun's HTTP door whose every action says what it needs, before any of it runs."""

    needs: ClassVar[Mapping[str, Any]]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in (None, "metadata"):
            return  # a method this route does not have; what follows answers 405
        if self.action not in self.needs:
            raise ImproperlyConfigured(f"{type(self).__name__}.needs lacks {self.action}")
        check_scope(request, scope_of(request))
        self.check_needs(request, self.needs[self.action])

    def check_needs(self, request: Request, needed: Any) -> None:
        raise NotImplementedError

    @property
    def actor(self) -> Actor:
        return SYSTEM if getattr(self, "swagger_fake_view", False) else actor_of(self.request)


class InstallationViewSet(DeclaredViewSet[M], Generic[M]):
    """A noun of the whole installation: `needs = {action: SIGNED_IN | OPERATOR}`."""

    needs: ClassVar[Mapping[str, Access]]

    def check_needs(self, request: Request, needed: Access) -> None:
        person = person_of(request)
        if needed is OPERATOR:
            if not person.is_operator:
                raise OperatorNeeded
            check_scope(request, Scope.ADMIN)

    @property
    def person(self) -> User:
        return User() if getattr(self, "swagger_fake_view", False) else person_of(self.request)
