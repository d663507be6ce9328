"""Lists of orders; and which list an order is in, 0 for those that were there before."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

LEGS = ("list", "stop", "profit")


class Migration(migrations.Migration):
    """Add the column and the table."""

    dependencies: ClassVar = [("projections", "0005_summaries")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="order",
            name="list_id",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="OrderList",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("updated_seq", models.BigIntegerField()),
                ("updated_us", models.BigIntegerField()),
                ("account", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("status", models.SmallIntegerField()),
                ("stop_order_id", models.BigIntegerField()),
                ("profit_order_id", models.BigIntegerField()),
                ("created_us", models.BigIntegerField()),
                *(
                    (f"{leg}_client_id_{place}", models.BigIntegerField())
                    for leg in LEGS
                    for place in range(4)
                ),
            ],
            options={"indexes": [models.Index("account", "id", name="list_of_account")]},
        ),
    ]
