from django.db import migrations

# The edges are written out: a migration must not change its meaning when Python's table does.
# tests/apps/workloads/test_trigger.py compares the two.
GUARD = """
CREATE SEQUENCE workloads_fence;

CREATE FUNCTION workloads_guard_workload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('succeeded', 'failed', 'stopped', 'lost') AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'workload % is over (%): it does not change any more', OLD.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'assigned'), ('pending', 'stopped'),
        ('assigned', 'pending'), ('assigned', 'starting'), ('assigned', 'stopping'),
        ('assigned', 'failed'), ('assigned', 'lost'),
        ('starting', 'running'), ('starting', 'stopping'), ('starting', 'failed'),
        ('starting', 'lost'),
        ('running', 'stopping'), ('running', 'finishing'), ('running', 'failed'),
        ('running', 'lost'),
        ('stopping', 'finishing'), ('stopping', 'stopped'), ('stopping', 'failed'),
        ('stopping', 'lost'),
        ('finishing', 'succeeded'), ('finishing', 'failed'), ('finishing', 'stopped'),
        ('finishing', 'lost')
    ) THEN
        RAISE EXCEPTION 'workload %: % may not become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER workloads_guard BEFORE UPDATE ON workloads_workload
    FOR EACH ROW EXECUTE FUNCTION workloads_guard_workload();
"""

UNGUARD = """
DROP TRIGGER workloads_guard ON workloads_workload;
DROP FUNCTION workloads_guard_workload();
DROP SEQUENCE workloads_fence;
"""


class Migration(migrations.Migration):
    dependencies = [("workloads", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
