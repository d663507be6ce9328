"""The tables of robots; of the steps by which they came about nothing is left to do."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("robots", "0001_initial"),
        ("robots", "0002_feeds"),
        ("robots", "0003_house_mark"),
        ("robots", "0004_robots"),
        ("robots", "0005_hub"),
        ("robots", "0006_venue_disputes"),
        ("robots", "0007_ratings"),
        ("robots", "0008_rule_runs"),
        ("robots", "0009_backtest_files"),
        ("robots", "0010_judged_in_part"),
        ("robots", "0011_refused"),
        ("robots", "0012_newest_look"),
        ("robots", "0013_robot_runs"),
        ("robots", "0014_signal_backtests"),
    ]

    initial = True

    dependencies = [
        ("identity", "0001_tables"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FeedState",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("address", models.CharField(default="", max_length=300)),
                ("topic", models.CharField(default="", max_length=1024)),
                ("is_connected", models.BooleanField(default=False)),
                ("fault", models.CharField(default="", max_length=300)),
                ("received", models.BigIntegerField(default=0)),
                ("current", models.BigIntegerField(default=0)),
                ("older", models.BigIntegerField(default=0)),
                ("duplicate", models.BigIntegerField(default=0)),
                ("set_aside", models.BigIntegerField(default=0)),
                ("filled", models.BigIntegerField(default=0)),
                ("reconnects", models.BigIntegerField(default=0)),
                ("message_us", models.BigIntegerField(default=0)),
                ("updated_us", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="HouseMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("text", models.CharField(max_length=16)),
            ],
        ),
        migrations.CreateModel(
            name="HubCursor",
            fields=[
                ("share", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("signal", models.BigIntegerField(default=0)),
                ("part_signal", models.BigIntegerField(default=0)),
                ("part_account", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("owner", models.CharField(default="", max_length=128)),
                ("fence", models.BigIntegerField(default=0)),
                ("until_us", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="RuleCheckpoint",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("time_us", models.BigIntegerField(default=0)),
                ("seen", models.BinaryField(default=b"")),
            ],
        ),
        migrations.CreateModel(
            name="VenueDispute",
            fields=[
                ("venue_order", models.BigIntegerField(primary_key=True, serialize=False)),
                ("venue", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=32)),
                ("filled_base", models.BigIntegerField()),
                ("filled_quote", models.BigIntegerField()),
                ("is_final", models.BooleanField()),
                ("reported_us", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Backtest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.TextField(default="")),
                ("config", models.JSONField(default=dict)),
                ("signals", models.CharField(default="", max_length=8)),
                ("ratings", models.CharField(default="", max_length=24)),
                ("interval", models.CharField(default="", max_length=3)),
                ("signals_name", models.CharField(default="", max_length=100)),
                ("signals_file", models.BinaryField(default=b"")),
                ("ticker", models.CharField(max_length=20)),
                ("source", models.CharField(default="journal", max_length=8)),
                ("file_name", models.CharField(default="", max_length=100)),
                ("file", models.BinaryField(default=b"")),
                ("settings", models.JSONField(default=dict)),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("result", models.TextField(default="")),
                ("fault", models.CharField(default="", max_length=500)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="backtests",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("signal", models.BigIntegerField()),
                ("account", models.BigIntegerField()),
                ("time_us", models.BigIntegerField()),
                ("side", models.SmallIntegerField()),
                ("reason", models.SmallIntegerField()),
                ("had", models.BigIntegerField()),
                ("needed", models.BigIntegerField()),
                ("price_ticks", models.BigIntegerField()),
                ("refused", models.SmallIntegerField(null=True)),
                ("is_paper", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "indexes": [
                    models.Index(models.F("account"), models.F("id"), name="decision_of_account"),
                    models.Index(
                        models.F("signal"),
                        models.F("account"),
                        condition=models.Q(("reason", 0)),
                        name="trigger_of_signal",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Hook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("symbol", models.CharField(blank=True, default="", max_length=12)),
                ("template", models.CharField(blank=True, default="", max_length=300)),
                ("addresses", models.TextField(blank=True, default="")),
                ("checks_position", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hooks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HookAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("received_us", models.BigIntegerField()),
                ("body", models.TextField()),
                ("dedupe", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("taken", "Taken"),
                            ("duplicate", "Duplicate"),
                            ("refused", "Refused"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=300)),
                ("signal", models.BigIntegerField(default=0)),
                ("is_replay", models.BooleanField(default=False)),
                (
                    "hook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="robots.hook",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("account", models.BigIntegerField()),
                ("robot", models.CharField(max_length=64)),
                ("symbol", models.CharField(max_length=12)),
                ("instrument", models.IntegerField()),
                (
                    "status",
                    models.SmallIntegerField(
                        choices=[
                            (1, "Awaiting Buy"),
                            (2, "Awaiting Sell"),
                            (3, "Closed"),
                            (4, "Failed"),
                        ]
                    ),
                ),
                ("fence", models.BigIntegerField(default=0)),
                ("available", models.BigIntegerField()),
                ("spent", models.BigIntegerField(default=0)),
                ("bought", models.BigIntegerField(default=0)),
                ("bought_lots", models.BigIntegerField(default=0)),
                ("stop_ticks", models.BigIntegerField(default=0)),
                ("sold_lots", models.BigIntegerField(default=0)),
                ("proceeds", models.BigIntegerField(default=0)),
                ("tries", models.IntegerField(default=0)),
                ("is_selling", models.BooleanField(default=False)),
                ("sell_signal", models.BigIntegerField(default=0)),
                ("note", models.CharField(blank=True, default="", max_length=64)),
                ("started_us", models.BigIntegerField()),
                ("buy_us", models.BigIntegerField(default=0)),
                ("closed_us", models.BigIntegerField(default=0)),
                ("is_paper", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("account"), models.F("started_us"), name="operation_of_account"
                    ),
                    models.Index(
                        models.F("account"),
                        models.F("symbol"),
                        condition=models.Q(("status__lte", 2)),
                        name="operation_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Rating",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.CharField(max_length=20)),
                ("interval", models.CharField(max_length=3)),
                ("kind", models.CharField(max_length=24)),
                ("bar_us", models.BigIntegerField()),
                ("strength", models.SmallIntegerField()),
                ("value", models.FloatField()),
                ("detail", models.TextField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("symbol"),
                        models.F("interval"),
                        models.F("kind"),
                        models.F("bar_us"),
                        name="rating_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Robot",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("signal", "Signal"), ("rule", "Rule")], max_length=8
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("config", models.JSONField(default=dict)),
                ("rule", models.TextField(blank=True, default="")),
                ("is_locked", models.BooleanField(default=False)),
                ("locked_until_us", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("closed_at", models.DateTimeField(editable=False, null=True)),
                ("changed_us", models.BigIntegerField(db_index=True, default=0)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="robot",
                        to="identity.account",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="robots",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RobotRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField(default=1)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "Live"), ("paper", "Paper")], default="live", max_length=8
                    ),
                ),
                ("terms", models.JSONField(default=dict)),
                ("state", models.TextField(default="")),
                ("outbox", models.TextField(default="[]")),
                ("position", models.BinaryField(default=b"")),
                ("seq", models.BigIntegerField(default=0)),
                ("began_seq", models.BigIntegerField(default=0)),
                ("began_us", models.BigIntegerField(default=0)),
                ("told", models.IntegerField(default=0)),
                ("newest", models.TextField(default="")),
                ("fault", models.CharField(default="", max_length=500)),
                ("is_over", models.BooleanField(default=False)),
                (
                    "robot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="robots.robot",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RobotTransfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("asset", models.IntegerField()),
                ("amount", models.BigIntegerField()),
                ("is_return", models.BooleanField(default=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("reason", models.SmallIntegerField(default=0)),
                (
                    "robot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transfers",
                        to="robots.robot",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RuleDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("seq", models.BigIntegerField()),
                ("time_us", models.BigIntegerField()),
                ("code", models.CharField(max_length=24)),
                ("text", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="robots.robotrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RuleOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("client_order_id", models.CharField(max_length=36)),
                ("time_us", models.BigIntegerField()),
                ("is_open", models.BooleanField()),
                ("line", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="robots.robotrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SetAsideMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("feed", models.CharField(max_length=64)),
                ("received_us", models.BigIntegerField()),
                ("fault", models.CharField(max_length=16)),
                ("reason", models.CharField(max_length=300)),
                ("payload", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(models.F("feed"), models.F("id"), name="set_aside_of_feed")
                ],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.CharField(max_length=12)),
                ("strength", models.SmallIntegerField()),
                ("timestamp_us", models.BigIntegerField()),
                ("member", models.BigIntegerField(default=0)),
                ("key", models.CharField(max_length=64, null=True, unique=True)),
                ("source", models.CharField(max_length=64)),
                ("analysis", models.TextField(default="[]")),
                ("received_us", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("symbol"),
                        models.F("timestamp_us"),
                        models.F("strength"),
                        models.F("member"),
                        name="signal_once",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="hook",
            constraint=models.UniqueConstraint(
                models.F("member"), models.F("name"), name="hook_name_once"
            ),
        ),
        migrations.AddIndex(
            model_name="hookalert",
            index=models.Index(models.F("hook"), models.F("id"), name="alert_of_hook"),
        ),
        migrations.AddIndex(
            model_name="hookalert",
            index=models.Index(models.F("hook"), models.F("dedupe"), name="alert_by_key"),
        ),
        migrations.AddIndex(
            model_name="hookalert",
            index=models.Index(
                models.F("id"), condition=models.Q(("state", "waiting")), name="alert_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="robotrun",
            constraint=models.UniqueConstraint(
                models.F("robot"), models.F("number"), name="robot_run_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="robottransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="allotment_above_0"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruledecision",
            constraint=models.UniqueConstraint(
                models.F("run"), models.F("number"), name="rule_decision_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleorder",
            constraint=models.UniqueConstraint(
                models.F("run"), models.F("client_order_id"), name="rule_order_once"
            ),
        ),
    ]
