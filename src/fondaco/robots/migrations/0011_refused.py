"""Why the core refused what a decision had set going."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0010_judged_in_part")]

    operations = [
        migrations.AddField(
            model_name="decision",
            name="refused",
            field=models.SmallIntegerField(null=True),
        ),
    ]
