"""Nobody changes or removes a link or a checkpoint either."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER audit_link_append_only BEFORE UPDATE OR DELETE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse_change();
CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse_change();
"""

BACKWARD = """
DROP TRIGGER audit_link_append_only ON audit_link;
DROP TRIGGER audit_checkpoint_append_only ON audit_checkpoint;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_chain")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
