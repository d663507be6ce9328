"""Robots by signals run on paper, too: a run is a robot's, and what came of one on paper says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0012_newest_look")]

    operations = [
        migrations.RemoveConstraint(model_name="rulerun", name="rule_run_once"),
        migrations.RenameModel(old_name="RuleRun", new_name="RobotRun"),
        migrations.AddConstraint(
            model_name="robotrun",
            constraint=models.UniqueConstraint("robot", "number", name="robot_run_once"),
        ),
        migrations.AddField(
            model_name="decision",
            name="is_paper",
            field=models.BooleanField(default=False, db_default=False),
        ),
        migrations.AddField(
            model_name="operation",
            name="is_paper",
            field=models.BooleanField(default=False, db_default=False),
        ),
    ]
