from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0008_key_bounds"),
    ]

    operations = [
        migrations.CreateModel(
            name="HouseState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("maintenance_at", models.DateTimeField(editable=False, null=True)),
            ],
        ),
    ]
