"""Signal robots are backtested, too: a backtest has a rule, or a config with signals to hear."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0013_robot_runs")]

    operations = [
        migrations.RenameModel(old_name="RuleBacktest", new_name="Backtest"),
        migrations.AlterField("backtest", "rule", models.TextField(default="")),
        migrations.AddField("backtest", "config", models.JSONField(default=dict)),
        migrations.AddField("backtest", "signals", models.CharField(default="", max_length=8)),
        migrations.AddField("backtest", "ratings", models.CharField(default="", max_length=24)),
        migrations.AddField("backtest", "interval", models.CharField(default="", max_length=3)),
        migrations.AddField(
            "backtest", "signals_name", models.CharField(default="", max_length=100)
        ),
        migrations.AddField("backtest", "signals_file", models.BinaryField(default=b"")),
        migrations.AddField("backtest", "started_at", models.DateTimeField(null=True)),
    ]
