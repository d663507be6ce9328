from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0007_frozen_members"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="addresses",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="apikey",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
