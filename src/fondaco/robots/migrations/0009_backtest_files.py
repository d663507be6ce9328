"""A backtest's tape may be a file that a member sent."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Three columns, each with a default."""

    dependencies = [("robots", "0008_rule_runs")]

    operations = [
        migrations.AddField("rulebacktest", "file", models.BinaryField(default=b"")),
        migrations.AddField(
            "rulebacktest", "file_name", models.CharField(default="", max_length=100)
        ),
        migrations.AddField(
            "rulebacktest", "source", models.CharField(default="journal", max_length=8)
        ),
    ]
