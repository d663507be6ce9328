from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0009_house_state"),
    ]

    operations = [
        migrations.CreateModel(
            name="ListenKeyTerm",
            fields=[
                (
                    "digest",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("until_s", models.BigIntegerField()),
                ("changed_s", models.BigIntegerField(db_index=True)),
            ],
        ),
    ]
