from typing import Any

from rest_framework import serializers

from apps.common.serializers import FiniteField, StrictSerializer
from apps.jobs import selectors
from apps.jobs.models import JobKind, JobState, RunState
from apps.workloads.shapes import (
    ReasonField,
    ResourcesSerializer,
    RunDeviceSerializer,
    RunNodeSerializer,
    WantedResourcesSerializer,
)

ORDERINGS = [sign + name for name in selectors.ORDERINGS for sign in ("", "-")]
SUBMITTED = [JobKind.TRAIN.value, JobKind.SCRIPT.value, JobKind.EVALUATE.value]


# --- what people send ----------------------------------------------------------------------------


class SubmitSerializer(StrictSerializer):
    """What every kind of job takes."""

    name = serializers.CharField(max_length=200, default="", allow_blank=True)
    model = serializers.CharField(
        max_length=100, required=False, help_text="The model that its result becomes a version of."
    )
    resources = WantedResourcesSerializer(required=False)
    grace_seconds = FiniteField(
        min_value=0, max_value=3600, required=False, help_text="From SIGTERM to SIGKILL."
    )
    priority = serializers.IntegerField(min_value=-1000, max_value=1000, default=0)
    max_retries = serializers.IntegerField(
        min_value=0,
        max_value=20,
        default=0,
        help_text="How often to try again what failed by no fault of the code.",
    )


class TrainJobSerializer(SubmitSerializer):
    """Train with a recipe."""

    kind = serializers.ChoiceField(choices=[JobKind.TRAIN.value])
    recipe = serializers.CharField(max_length=100)
    parameters = serializers.DictField(required=False)
    dataset = serializers.CharField(
        max_length=200, help_text="A dataset's `name`, `name@version`, or a version's id."
    )


class WantedInputSerializer(StrictSerializer):
    """A dataset that the script finds in its inputs, under this name or its own."""

    name = serializers.CharField(max_length=100, required=False)
    dataset = serializers.CharField(max_length=200)


class ScriptResourcesSerializer(WantedResourcesSerializer):
    """What a script takes; only a script can be pretended to run, for nothing is made of it."""

    simulated = serializers.BooleanField(
        required=False, help_text="On simulated nodes, and nowhere else: nothing is computed."
    )


class ScriptJobSerializer(SubmitSerializer):
    """Run any Python file or folder, as its author would."""

    kind = serializers.ChoiceField(choices=[JobKind.SCRIPT.value])
    resources = ScriptResourcesSerializer(required=False)
    code = serializers.CharField(
        max_length=64, help_text="A finished upload's id, or a digest: one .py file or a .zip."
    )
    entrypoint = serializers.CharField(max_length=1000)
    arguments = serializers.ListField(
        child=serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False),
        max_length=1000,
        required=False,
    )
    requirements = serializers.ListField(
        child=serializers.CharField(max_length=1000), max_length=500, required=False
    )
    env = serializers.DictField(
        child=serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False),
        required=False,
    )
    network = serializers.ChoiceField(
        choices=["host", "none"],
        default="host",
        help_text="`none`: it reaches nothing but itself; only on nodes that isolate jobs.",
    )
    inputs = WantedInputSerializer(many=True, required=False)


class EvaluateJobSerializer(SubmitSerializer):
    """Measure a model version on a dataset."""

    kind = serializers.ChoiceField(choices=[JobKind.EVALUATE.value])
    model = serializers.CharField(
        max_length=200, help_text="A model's `name`, `name@version`, or a version's id."
    )
    dataset = serializers.CharField(
        max_length=200, help_text="A dataset's `name`, `name@version`, or a version's id."
    )
    split = serializers.CharField(
        max_length=64,
        default="",
        allow_blank=True,
        help_text="The data's test split if it has one, else all of it.",
    )


class JobFilterSerializer(serializers.Serializer[Any]):
    """Which jobs to list."""

    state = serializers.ListField(
        child=serializers.ChoiceField(choices=JobState.choices),
        required=False,
        help_text="Any of these: give it several times.",
    )
    kind = serializers.ListField(
        child=serializers.ChoiceField(choices=JobKind.choices),
        required=False,
        help_text="Any of these: give it several times.",
    )
    search = serializers.CharField(
        max_length=200, required=False, help_text="A part of the name, in either case."
    )
    submitted_by = serializers.CharField(
        max_length=150, required=False, help_text="A username, or `me`."
    )
    dataset = serializers.CharField(
        max_length=200, required=False, help_text="`name` or `name@version` that a run of it reads."
    )
    dataset_version = serializers.UUIDField(required=False, help_text="That a run of it reads.")
    model = serializers.CharField(
        max_length=200,
        required=False,
        help_text="`name` or `name@version` that a run of it reads or has made.",
    )
    ended_after = serializers.DateTimeField(required=False, help_text="Over, and only since then.")
    ordering = serializers.ChoiceField(choices=ORDERINGS, default="-created_at")


class WindowSerializer(serializers.Serializer[Any]):
    """Which run of a job is meant."""

    run = serializers.IntegerField(
        min_value=1, required=False, default=None, help_text="Its number; else the newest."
    )


class LogWindowSerializer(WindowSerializer):
    offset = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    limit = serializers.IntegerField(min_value=4, max_value=1024 * 1024, default=256 * 1024)
    since = serializers.DateTimeField(
        required=False,
        default=None,
        help_text="Begin with what was written at this time or after, instead of at an offset.",
    )


class MetricsWindowSerializer(WindowSerializer):
    name = serializers.ListField(
        child=serializers.CharField(max_length=250),
        required=False,
        help_text="Only these series; all if left out.",
    )


class KindSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=SUBMITTED)


# --- what people see -----------------------------------------------------------------------------


class RunSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RunState.choices)
    reason = ReasonField()
    cause = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    workload = serializers.UUIDField(allow_null=True)
    node = RunNodeSerializer(allow_null=True)
    devices = RunDeviceSerializer(many=True, help_text="What it has of its node, or had.")


class JobInputSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["dataset", "model"])
    dataset = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    number = serializers.IntegerField()
    version = serializers.UUIDField()


class JobModelVersionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()


class JobEvaluationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    model = serializers.CharField(source="version.model.name")
    number = serializers.IntegerField(source="version.number")
    split = serializers.CharField()
    metrics = serializers.DictField(child=serializers.FloatField(allow_null=True))


class MainMetricSerializer(serializers.Serializer[Any]):
    """The recipe's first metric, else what looks most like a loss."""

    name = serializers.CharField()
    value = serializers.FloatField(allow_null=True, help_text="The newest; null if no number.")
    spark = serializers.ListField(
        child=serializers.FloatField(allow_null=True),
        help_text="At most 30, evenly over its steps; null where it is no number.",
    )


class JobSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="job.id")
    name = serializers.CharField(source="job.name")
    kind = serializers.ChoiceField(choices=JobKind.choices, source="job.kind")
    state = serializers.ChoiceField(choices=JobState.choices, source="job.state")
    reason = ReasonField()
    waiting = ReasonField()
    priority = serializers.IntegerField(source="job.priority")
    max_retries = serializers.IntegerField(source="job.max_retries")
    config = serializers.DictField(source="job.config")
    resources = ResourcesSerializer(source="job.config.resources")
    submitted_by = serializers.CharField(
        source="job.submitted_by.username", allow_null=True, default=None
    )
    created_at = serializers.DateTimeField(source="job.created_at")
    started_at = serializers.DateTimeField(source="job.started_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="job.ended_at", allow_null=True)
    stop_asked_at = serializers.DateTimeField(source="job.stop_asked_at", allow_null=True)
    run = RunSerializer(allow_null=True)
    inputs = JobInputSerializer(many=True)
    model_version = JobModelVersionSerializer(allow_null=True)
    evaluation = JobEvaluationSerializer(
        allow_null=True, help_text="What the newest run has measured."
    )
    progress = serializers.FloatField(allow_null=True, help_text="0 to 1; null while unknown.")
    time_left_seconds = serializers.IntegerField(
        allow_null=True, help_text="At the pace so far; null while unknown or not running."
    )
    main_metric = MainMetricSerializer(allow_null=True)


class UseJobSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=JobKind.choices)
    state = serializers.ChoiceField(choices=JobState.choices)
    submitted_by = serializers.CharField(
        source="submitted_by.username", allow_null=True, default=None
    )


class UseRunSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RunState.choices)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class UseSerializer(serializers.Serializer[Any]):
    """A run that read the version, and what it made."""

    job = UseJobSerializer(source="run.job")
    run = UseRunSerializer()
    model_version = JobModelVersionSerializer(allow_null=True)
    evaluation = JobEvaluationSerializer(allow_null=True)


class StopManySerializer(StrictSerializer):
    ids = serializers.ListField(child=serializers.UUIDField(), allow_empty=False, max_length=500)


class StopOutcomeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    stopped = serializers.BooleanField(help_text="It is asked to end, or has ended by this.")
    reason = ReasonField()


class StopOutcomesSerializer(serializers.Serializer[Any]):
    results = StopOutcomeSerializer(many=True)


class JobEventSerializer(serializers.Serializer[Any]):
    """Something that happened to a job, and why."""

    at = serializers.DateTimeField()
    what = ReasonField()
    actor = serializers.CharField(allow_null=True, help_text="Who did it; null: nobody asked.")
    run = serializers.IntegerField(allow_null=True, help_text="The number of the run it is about.")
    node = serializers.CharField(allow_null=True)
    reason = ReasonField()


class NodeFitSerializer(serializers.Serializer[Any]):
    node = RunNodeSerializer()
    fits = serializers.BooleanField(help_text="It has this much room now.")
    reason = ReasonField()


class FitsSerializer(serializers.Serializer[Any]):
    fits_now = serializers.BooleanField(
        help_text="It would start at once: there is room, and nobody waits for it with more right."
    )
    ever = serializers.BooleanField(
        help_text="False: no node could hold it however empty, and it would be refused."
    )
    reason = ReasonField()
    largest = ResourcesSerializer(
        allow_null=True, help_text="What would fit now on the node where this comes closest."
    )
    nodes = NodeFitSerializer(many=True)


class JobPreviewSerializer(serializers.Serializer[Any]):
    """What would become of a job if it were submitted now."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=SUBMITTED)
    config = serializers.DictField(help_text="With every default filled in.")
    resources = ResourcesSerializer()
    fits = FitsSerializer()
    yaml = serializers.CharField(help_text="The job file with what was given.")
    cli = serializers.CharField()
    curl = serializers.CharField()


class OutputSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class SeriesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    points = serializers.ListField(
        child=serializers.ListField(),
        help_text='`[step, value, at]`: Unix seconds; a value may be "NaN" or "Infinity".',
    )


class MetricsSerializer(serializers.Serializer[Any]):
    through = serializers.IntegerField(help_text="Offset of the newest point, to go on live from.")
    series = SeriesSerializer(many=True)


class RecipeParameterSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=["int", "float", "bool", "choice"])
    default = serializers.JSONField()
    # DRF's own attribute of this name is of the class, and the field is taken out of it
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]
    help = serializers.DictField(child=serializers.CharField())
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    choices = serializers.ListField()


class RecipeSerializer(serializers.Serializer[Any]):
    """A declared way to train: what it accepts, and the fields of its form."""

    name = serializers.CharField()
    version = serializers.CharField()
    task = serializers.CharField()
    title = serializers.DictField(child=serializers.CharField(), help_text="By language.")
    summary = serializers.DictField(child=serializers.CharField())
    accepts = serializers.ListField(child=serializers.CharField())
    parameters = RecipeParameterSerializer(many=True)
    resources = ResourcesSerializer()
    serving = ResourcesSerializer(
        allow_null=True, help_text="Of one replica; null if it cannot serve."
    )
    metrics = serializers.ListField(child=serializers.CharField())


class RunsSerializer(serializers.Serializer[Any]):
    results = RunSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
