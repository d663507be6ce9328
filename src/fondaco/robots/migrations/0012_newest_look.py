"""What a rule that waits saw last, beside the decisions that are kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0011_refused")]

    operations = [
        migrations.AddField(
            model_name="rulerun",
            name="newest",
            field=models.TextField(default=""),
        ),
    ]
