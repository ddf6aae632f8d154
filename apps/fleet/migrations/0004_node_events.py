"""What happened to nodes, to begin with what the audit knows of it."""

import django.db.models.deletion
from django.db import migrations, models

import apps.common.ids

FILL = """
INSERT INTO fleet_nodeevent (id, created_at, node_id, at, kind, actor_kind, actor_name, detail)
SELECT entry.id, entry.created_at, node.id, entry.created_at,
    CASE entry.action
        WHEN 'node.join' THEN 'joined'
        WHEN 'node.remove' THEN 'removed'
        WHEN 'node.cordon' THEN 'cordoned'
        ELSE 'uncordoned'
    END,
    entry.actor_kind, entry.actor_name, '{}'
FROM audit_entry AS entry JOIN fleet_node AS node ON node.id = entry.object_id
WHERE entry.action IN ('node.join', 'node.remove', 'node.cordon', 'node.uncordon')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
        ("fleet", "0003_outbox_per_node"),
    ]

    operations = [
        migrations.AddField(
            model_name="node",
            name="cordon_reason",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.CreateModel(
            name="NodeEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.common.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("at", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("joined", "Joined"),
                            ("removed", "Removed"),
                            ("cordoned", "Cordoned"),
                            ("uncordoned", "Uncordoned"),
                            ("contact", "Contact"),
                            ("rebooted", "Rebooted"),
                            ("upgraded", "Upgraded"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_name", models.CharField(max_length=200)),
                ("detail", models.JSONField(default=dict)),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="fleet.node",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["node", "-at", "-id"], name="node_event_newest")],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
