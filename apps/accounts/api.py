"""Tokens, people, and the link that signs in once."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth import login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors, services
from apps.accounts.models import Token, User
from apps.accounts.permissions import OPERATOR, SIGNED_IN, InstallationViewSet
from apps.accounts.serializers import (
    ChainAskedSerializer,
    ChainPageSerializer,
    ChainSerializer,
    PersonSerializer,
    SignInLinkSerializer,
    TokenCreatedSerializer,
    TokenCreateSerializer,
    TokenSerializer,
    UserChangeSerializer,
    UserCreatedSerializer,
    UserCreateSerializer,
)
from apps.audit import selectors as audited
from apps.audit import services as audit
from apps.audit.models import Entry
from apps.common import messages, pages
from apps.common.api import language_of


class TokenViewSet(mixins.ListModelMixin, InstallationViewSet[Token]):
    """Your own tokens, for programs that speak for you."""

    serializer_class = TokenSerializer
    needs = {"list": SIGNED_IN, "create": SIGNED_IN, "destroy": SIGNED_IN}
    lookup_field = "id"

    def get_queryset(self) -> QuerySet[Token]:
        return selectors.tokens_of(self.person)

    @extend_schema(request=TokenCreateSerializer, responses={201: TokenCreatedSerializer})
    def create(self, request: Request) -> Response:
        wanted = TokenCreateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        at = timezone.now()
        token, text = services.create_token(
            user=self.person,
            name=wanted.validated_data["name"],
            scopes=wanted.validated_data["scopes"],
            expires_at=at + timedelta(days=wanted.validated_data["expires_in_days"]),
            actor=self.actor,
            at=at,
            parent=request.auth if isinstance(request.auth, Token) else None,
        )
        body = {**TokenSerializer(token).data, "token": text}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, id: UUID) -> Response:
        services.revoke_token(user=self.person, token_id=id, actor=self.actor, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserViewSet(mixins.ListModelMixin, InstallationViewSet[User]):
    """The people of the installation, for its operators."""

    serializer_class = PersonSerializer
    needs = {
        "list": OPERATOR,
        "create": OPERATOR,
        "partial_update": OPERATOR,
        "sign_in_link": OPERATOR,
    }
    ordering = "username"

    def get_queryset(self) -> QuerySet[User]:
        return selectors.users()

    @extend_schema(request=UserCreateSerializer, responses={201: UserCreatedSerializer})
    def create(self, request: Request) -> Response:
        wanted = UserCreateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        at = timezone.now()
        user = services.create_user(
            username=wanted.validated_data["username"],
            is_operator=wanted.validated_data.get("is_operator", False),
            password=wanted.validated_data.get("password"),
            actor=self.actor,
            at=at,
        )
        body = {**PersonSerializer(user).data, "sign_in_url": self._link(user)}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(request=UserChangeSerializer, responses=PersonSerializer)
    def partial_update(self, request: Request, id: UUID) -> Response:
        """Shut somebody out or let them in again; make them an operator or not."""
        wanted = UserChangeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        user = services.change_user(
            user_id=id, actor=self.actor, at=timezone.now(), **wanted.validated_data
        )
        return Response(PersonSerializer(user).data)

    @extend_schema(request=None, responses={201: SignInLinkSerializer})
    def sign_in_link(self, request: Request, id: UUID) -> Response:
        """A new link for somebody who has lost the way in."""
        body = {"sign_in_url": self._link(get_object_or_404(self.get_queryset(), pk=id))}
        return Response(body, status=status.HTTP_201_CREATED)

    def _link(self, user: User) -> str:
        path = services.create_sign_in_link(user=user, actor=self.actor, at=timezone.now())
        return f"{settings.PUBLIC_URL}{path}"


CHAIN_PAGE = 1000


class ChainViewSet(InstallationViewSet[Entry]):
    """The chain of the audit, for the installation's operators: how it stands, and all of it."""

    serializer_class = ChainSerializer
    needs = {"retrieve": OPERATOR, "records": OPERATOR, "verify": OPERATOR}

    def retrieve(self, request: Request) -> Response:
        """How the chain stands."""
        return Response(ChainSerializer(audited.chain_state()).data)

    @extend_schema(parameters=[ChainAskedSerializer], responses=ChainPageSerializer)
    def records(self, request: Request) -> Response:
        """The next thousand entries of an export, with the checkpoints among them.

        `datahall audit export` writes them to a file; `datahall audit verify` checks it anywhere.
        """
        asked = ChainAskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = list(audit.records(after=asked.validated_data["after"], most=CHAIN_PAGE))
        entries = [record["number"] for record in found if record["kind"] == "entry"]
        following = entries[-1] if len(entries) == CHAIN_PAGE else None
        return Response({"records": found, "next": following})

    @extend_schema(request=None, responses=ChainSerializer)
    def verify(self, request: Request) -> Response:
        """Read the whole chain now, and say how it stands."""
        audit.verify_chain(at=timezone.now())
        return self.retrieve(request)


@require_GET
def sign_in(request: HttpRequest, secret: str) -> HttpResponse:
    """Sign the link's person in, once, and go to the console."""
    try:
        user = services.use_sign_in_link(secret=secret, at=timezone.now())
    except services.SignInLinkRefused as refusal:
        language = language_of(request)
        return pages.plain(
            title=messages.render("status_404", {}, language),
            text=messages.render(refusal.code, refusal.params, language),
            status=404,
        )
    login(request, user)
    return redirect("/")
