from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("fleet", "0001_initial")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE fleet_order_seq", "DROP SEQUENCE fleet_order_seq"),
        # contact is renewed every ten seconds: room on the page keeps those updates off the indexes
        migrations.RunSQL(
            "ALTER TABLE fleet_node SET (fillfactor = 50)",
            "ALTER TABLE fleet_node RESET (fillfactor)",
        ),
    ]
