"""The tables of strategies; of the steps by which they came about nothing is left to do."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VALUES = (
    *("last_price", "margin_balance", "wallet_balance", "realised_pnl", "positions"),
    "average_entry_price",
)


def make_reports(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the table that Django has no words for: clustered by its key, or partitioned."""
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    kind = " PARTITION BY RANGE (created_us)" if is_postgresql else " WITHOUT ROWID"
    values = ", ".join(f"{name} bigint NOT NULL" for name in VALUES)
    schema_editor.execute(
        f"CREATE TABLE strategies_report (strategy_id bigint NOT NULL, "
        f"created_us bigint NOT NULL, {values}, PRIMARY KEY (strategy_id, created_us)){kind}"
    )


def drop_reports(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute("DROP TABLE strategies_report")


class Migration(migrations.Migration):
    replaces = [
        ("strategies", "0001_initial"),
        ("strategies", "0002_late_reports_and_robots"),
        ("strategies", "0003_arrivals"),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("batch", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="BrokerageAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("robot", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("archived_at", models.DateTimeField(editable=False, null=True)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="brokerage_accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Strategy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("symbol", models.CharField(blank=True, default="", max_length=64)),
                ("token_prefix", models.CharField(default="", editable=False, max_length=12)),
                (
                    "token_digest",
                    models.CharField(editable=False, max_length=64, null=True, unique=True),
                ),
                ("token_made_at", models.DateTimeField(editable=False, null=True)),
                ("report_every_s", models.BigIntegerField(default=0)),
                ("late_since_us", models.BigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("archived_at", models.DateTimeField(editable=False, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="strategies",
                        to="strategies.brokerageaccount",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="strategies",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "strategies",
            },
        ),
        migrations.CreateModel(
            name="LedgerState",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="ledger",
                        serialize=False,
                        to="strategies.brokerageaccount",
                    ),
                ),
                ("number", models.BigIntegerField()),
                ("posting", models.BigIntegerField(default=0)),
                ("minute_us", models.BigIntegerField(db_index=True, default=0)),
                ("words", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                ("last_price", models.BigIntegerField()),
                ("margin_balance", models.BigIntegerField()),
                ("wallet_balance", models.BigIntegerField()),
                ("realised_pnl", models.BigIntegerField()),
                ("positions", models.BigIntegerField()),
                ("average_entry_price", models.BigIntegerField()),
                (
                    "strategy",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="standing",
                        serialize=False,
                        to="strategies.strategy",
                    ),
                ),
                ("created_us", models.BigIntegerField()),
                ("symbol", models.CharField(max_length=64)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(make_reports, drop_reports)],
            state_operations=[
                migrations.CreateModel(
                    name="Report",
                    fields=[
                        ("last_price", models.BigIntegerField()),
                        ("margin_balance", models.BigIntegerField()),
                        ("wallet_balance", models.BigIntegerField()),
                        ("realised_pnl", models.BigIntegerField()),
                        ("positions", models.BigIntegerField()),
                        ("average_entry_price", models.BigIntegerField()),
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "strategy_id",
                                "created_us",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("created_us", models.BigIntegerField()),
                        (
                            "strategy",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="strategies.strategy",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="Period",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("last_price", models.BigIntegerField()),
                ("margin_balance", models.BigIntegerField()),
                ("wallet_balance", models.BigIntegerField()),
                ("realised_pnl", models.BigIntegerField()),
                ("positions", models.BigIntegerField()),
                ("average_entry_price", models.BigIntegerField()),
                ("length_s", models.IntegerField()),
                ("start_us", models.BigIntegerField()),
                ("first_us", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
                ("wallet_first", models.BigIntegerField()),
                ("wallet_min", models.BigIntegerField()),
                ("wallet_max", models.BigIntegerField()),
                ("margin_first", models.BigIntegerField()),
                ("margin_min", models.BigIntegerField()),
                ("margin_max", models.BigIntegerField()),
                (
                    "strategy",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="strategies.strategy",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Flow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("time_us", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                (
                    "strategy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="flows",
                        to="strategies.strategy",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="brokerageaccount",
            constraint=models.UniqueConstraint(
                models.F("member"), models.F("name"), name="brokerage_account_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="brokerageaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("robot", ""), _negated=True),
                fields=("robot",),
                name="brokerage_robot_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.UniqueConstraint(
                models.F("member"), models.F("name"), name="strategy_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="period",
            constraint=models.UniqueConstraint(
                models.F("strategy"), models.F("length_s"), models.F("start_us"), name="period_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="flow",
            constraint=models.UniqueConstraint(
                models.F("strategy"), models.F("time_us"), name="flow_once"
            ),
        ),
    ]
