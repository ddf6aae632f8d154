from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from apps.accounts.models import User
from apps.audit.models import Entry
from apps.common.messages import LANGUAGES
from apps.common.serializers import SaidSerializer, StrictSerializer
from apps.projects.models import Membership, Project, Role
from apps.projects.selectors import Standing

# what fits a URL, a host name and a folder
slug_shape = RegexValidator(
    r"\A[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\Z", "Use a-z, 0-9 and dashes between them."
)


class SessionUserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "is_operator", "language"]
        read_only_fields = fields


class StandingSerializer(serializers.Serializer[Standing]):
    """A project, and what you are in it."""

    id = serializers.UUIDField(source="project.id")
    slug = serializers.CharField(source="project.slug")
    name = serializers.CharField(source="project.name")
    role = serializers.ChoiceField(choices=Role.choices)


class SessionSerializer(serializers.Serializer[Any]):
    user = SessionUserSerializer()
    projects = StandingSerializer(many=True)


class SignInSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


class LanguageSerializer(StrictSerializer):
    """The empty text is: whatever the browser asks for."""

    language = serializers.ChoiceField(choices=["", *LANGUAGES])


class PasswordSerializer(StrictSerializer):
    current = serializers.CharField(
        max_length=128, trim_whitespace=False, allow_blank=True, default=""
    )
    password = serializers.CharField(max_length=128, trim_whitespace=False)


class ProjectSerializer(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ["id", "slug", "name", "organisation", "created_at"]
        read_only_fields = fields

    organisation = serializers.CharField(source="organisation.slug", read_only=True)


class ProjectCreateSerializer(StrictSerializer):
    slug = serializers.CharField(max_length=64, validators=[slug_shape])
    name = serializers.CharField(max_length=200, required=False)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ["user_id", "username", "role", "created_at"]
        read_only_fields = fields

    username = serializers.CharField(source="user.username", read_only=True)


class MemberAddSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Role.choices)


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Role.choices)


class SubjectSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(help_text="As references spell it: `digits@2` of a version.")


class AttentionSerializer(serializers.Serializer[Any]):
    """Something that needs somebody."""

    kind = serializers.CharField(
        help_text="`job_failed`, `job_stuck`, `import_failed`, `node_unreachable`, "
        "`node_cordoned`, `node_not_isolated`, `device_unhealthy`, and what other parts add."
    )
    severity = serializers.ChoiceField(choices=["error", "warning"])
    since = serializers.DateTimeField()
    subject = SubjectSerializer()
    reason = SaidSerializer()
    action = serializers.CharField(
        help_text="What would help: `open_log`, `see_queue`, `open_dataset`, `open_node`, "
        "`uncordon`."
    )


class SearchedSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(max_length=100, help_text="A part of a name, in either case.")


class FoundSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="`job`, `dataset`, `model`, `node`, ...")
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField(allow_blank=True)


class FoundsSerializer(serializers.Serializer[Any]):
    """Type by type, those whose name begins with the text first; at most eight of each."""

    results = FoundSerializer(many=True)


class ActivitySerializer(serializers.Serializer[Any]):
    """Something that somebody did in the project, for everybody in it."""

    at = serializers.DateTimeField()
    actor = serializers.CharField()
    actor_kind = serializers.CharField(help_text="`user`, `run`, `node` or `system`.")
    code = serializers.CharField()
    params = serializers.DictField()
    text = serializers.CharField(help_text="In the reader's language.")
    subject = SubjectSerializer()


class AuditFilterSerializer(serializers.Serializer[Any]):
    """Which entries to list."""

    actor = serializers.CharField(max_length=200, required=False, help_text="Who did it.")
    actor_id = serializers.UUIDField(required=False)
    action = serializers.CharField(
        max_length=64,
        required=False,
        help_text="`job.stop`, or `job` for all that is done to jobs.",
    )
    object_id = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Not including this moment.")


class AuditEntrySerializer(serializers.ModelSerializer[Entry]):
    class Meta:
        model = Entry
        fields = [
            "seq",
            "created_at",
            "actor_kind",
            "actor_id",
            "actor_name",
            "action",
            "object_type",
            "object_id",
            "detail",
        ]
        read_only_fields = fields
