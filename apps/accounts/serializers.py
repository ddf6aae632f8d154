from typing import Any

from rest_framework import serializers

from apps.accounts.models import Token, User
from apps.accounts.scopes import Scope
from apps.common.serializers import StrictSerializer


class PersonSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "is_operator", "is_active", "last_login", "created_at"]
        read_only_fields = fields

    created_at = serializers.DateTimeField(source="date_joined", read_only=True)


class UserCreateSerializer(StrictSerializer, serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["username", "password", "is_operator"]
        # who has the name already is the service's question
        extra_kwargs = {"username": {"validators": [User.username_validator]}}

    password = serializers.CharField(
        required=False, max_length=128, write_only=True, trim_whitespace=False
    )


class UserChangeSerializer(StrictSerializer):
    """What is left out stays as it is."""

    is_active = serializers.BooleanField(required=False, help_text="May sign in.")
    is_operator = serializers.BooleanField(required=False, help_text="Runs the installation.")


class UserCreatedSerializer(PersonSerializer):
    """With the link that signs the new person in once."""

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "sign_in_url"]
        read_only_fields = fields

    sign_in_url = serializers.CharField(read_only=True)


class SignInLinkSerializer(serializers.Serializer[Any]):
    """A link that signs its person in once."""

    sign_in_url = serializers.CharField(read_only=True)


class TokenSerializer(serializers.ModelSerializer[Token]):
    class Meta:
        model = Token
        fields = ["id", "name", "scopes", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]), read_only=True
    )


class TokenCreateSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]),
        allow_empty=False,
        max_length=8,
    )
    expires_in_days = serializers.IntegerField(min_value=1, max_value=366, default=30)


class TokenCreatedSerializer(TokenSerializer):
    """With the token's text, which is shown this once."""

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields

    token = serializers.CharField(read_only=True)


class CheckpointSerializer(serializers.Serializer[Any]):
    """The installation's last signature under its audit."""

    index = serializers.IntegerField()
    number = serializers.IntegerField(help_text="Of the last entry that it vouches for.")
    signed_at = serializers.DateTimeField()
    public_key = serializers.CharField(help_text="Ed25519, hexadecimal.")


class VerificationSerializer(serializers.Serializer[Any]):
    """What the last look at the whole chain found."""

    at = serializers.DateTimeField()
    entries = serializers.IntegerField()
    fault = serializers.CharField(help_text="Empty where the chain holds.")
    number = serializers.IntegerField(help_text="Of the entry where it does not.")


class ChainSerializer(serializers.Serializer[Any]):
    """How the chain of the audit stands."""

    installation = serializers.UUIDField()
    entries = serializers.IntegerField(help_text="In the chain.")
    waiting = serializers.IntegerField(help_text="For their place in it, a few seconds at most.")
    head = serializers.CharField(help_text="Of the last entry, sha256; empty where there is none.")
    checkpoint = CheckpointSerializer(allow_null=True)
    verification = VerificationSerializer(allow_null=True)


class ChainPageSerializer(serializers.Serializer[Any]):
    """A part of an export: lines of it as objects."""

    records = serializers.ListField(child=serializers.JSONField())
    next = serializers.IntegerField(allow_null=True, help_text="What to ask `after` next.")


class ChainAskedSerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
