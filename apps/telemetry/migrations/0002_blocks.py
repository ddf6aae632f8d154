"""Sample blocks, partitioned by day. Partitions are made by `storage.ensure_partition`."""

from django.db import migrations, models

CREATE = """
CREATE TABLE telemetry_block (
    node_id uuid NOT NULL,
    start_at timestamptz NOT NULL,
    seq bigint NOT NULL,
    end_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (node_id, start_at, seq)
) PARTITION BY RANGE (start_at);
-- compressed by the node already
ALTER TABLE telemetry_block ALTER COLUMN data SET STORAGE EXTERNAL;
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE telemetry_block")],
            state_operations=[
                migrations.CreateModel(
                    name="Block",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "node_id",
                                "start_at",
                                "seq",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("node_id", models.UUIDField()),
                        ("start_at", models.DateTimeField()),
                        ("seq", models.BigIntegerField()),
                        ("end_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        ("data", models.BinaryField()),
                    ],
                ),
            ],
        ),
    ]
