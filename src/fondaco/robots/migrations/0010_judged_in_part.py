"""How far a signal is judged that a share's clients are judged by in pieces."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0009_backtest_files")]

    operations = [
        migrations.AddField(
            model_name="hubcursor",
            name="part_account",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hubcursor",
            name="part_signal",
            field=models.BigIntegerField(default=0),
        ),
    ]
