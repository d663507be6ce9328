"""Since when an order works: 0 for a stop that was not triggered; before there were stops, always."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the column, filled for the orders that are there."""

    dependencies: ClassVar = [("projections", "0003_quotes")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="order",
            name="working_us",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.RunSQL(
            "UPDATE projections_order SET working_us = created_us", migrations.RunSQL.noop
        ),
    ]
