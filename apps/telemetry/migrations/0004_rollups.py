"""One-minute rollups, partitioned by month, and a way to the blocks that came last."""

from django.db import migrations, models

CREATE = """
CREATE TABLE telemetry_rollup (
    node_id uuid NOT NULL,
    start_at timestamptz NOT NULL,
    blocks integer NOT NULL CHECK (blocks >= 0),
    rolled_at timestamptz NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (node_id, start_at)
) PARTITION BY RANGE (start_at);
ALTER TABLE telemetry_rollup ALTER COLUMN data SET STORAGE EXTERNAL;
-- blocks are appended as they are received: a summary per range of pages finds the last ones
CREATE INDEX telemetry_block_received ON telemetry_block
    USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
"""
DROP = """
DROP INDEX telemetry_block_received;
DROP TABLE telemetry_rollup;
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0003_traffic")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Rollup",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "node_id",
                                "start_at",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("node_id", models.UUIDField()),
                        ("start_at", models.DateTimeField()),
                        ("blocks", models.PositiveIntegerField()),
                        ("rolled_at", models.DateTimeField()),
                        ("data", models.BinaryField()),
                    ],
                ),
            ],
        ),
        migrations.CreateModel(
            name="RollupMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("through", models.DateTimeField()),
            ],
        ),
    ]
