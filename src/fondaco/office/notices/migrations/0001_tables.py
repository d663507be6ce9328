"""The tables of notices; of the steps by which they came about nothing is left to do."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("notices", "0001_initial"),
        ("notices", "0002_strategies_late"),
        ("notices", "0003_what_robots_say"),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Position",
            fields=[
                ("name", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("url", models.CharField(max_length=500)),
                ("secret", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("removed_at", models.DateTimeField(editable=False, null=True)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Happening",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("order.traded", "order.traded"),
                            ("order.filled", "order.filled"),
                            ("deposit.credited", "deposit.credited"),
                            ("withdrawal.asked", "withdrawal.asked"),
                            ("withdrawal.approved", "withdrawal.approved"),
                            ("withdrawal.paid", "withdrawal.paid"),
                            ("withdrawal.cancelled", "withdrawal.cancelled"),
                            ("sign_in.new_device", "sign_in.new_device"),
                            ("sign_in.changed", "sign_in.changed"),
                            ("api_key.made", "api_key.made"),
                            ("api_key.revoked", "api_key.revoked"),
                            ("token.made", "token.made"),
                            ("token.revoked", "token.revoked"),
                            ("membership.paid", "membership.paid"),
                            ("membership.ending", "membership.ending"),
                            ("membership.ended", "membership.ended"),
                            ("invite.used", "invite.used"),
                            ("strategy.late", "strategy.late"),
                            ("strategy.back", "strategy.back"),
                            ("robot.says", "robot.says"),
                            ("test", "test"),
                        ],
                        max_length=32,
                    ),
                ),
                ("reference", models.CharField(max_length=64)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField()),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("delivered", "Delivered"),
                            ("given up", "Given Up"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("last_at", models.DateTimeField(null=True)),
                ("last_status", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.CharField(blank=True, default="", max_length=200)),
                (
                    "endpoint",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="notices.endpoint",
                    ),
                ),
                (
                    "happening",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="notices.happening",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Choice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("order.traded", "order.traded"),
                            ("order.filled", "order.filled"),
                            ("deposit.credited", "deposit.credited"),
                            ("withdrawal.asked", "withdrawal.asked"),
                            ("withdrawal.approved", "withdrawal.approved"),
                            ("withdrawal.paid", "withdrawal.paid"),
                            ("withdrawal.cancelled", "withdrawal.cancelled"),
                            ("sign_in.new_device", "sign_in.new_device"),
                            ("sign_in.changed", "sign_in.changed"),
                            ("api_key.made", "api_key.made"),
                            ("api_key.revoked", "api_key.revoked"),
                            ("token.made", "token.made"),
                            ("token.revoked", "token.revoked"),
                            ("membership.paid", "membership.paid"),
                            ("membership.ending", "membership.ending"),
                            ("membership.ended", "membership.ended"),
                            ("invite.used", "invite.used"),
                            ("strategy.late", "strategy.late"),
                            ("strategy.back", "strategy.back"),
                            ("robot.says", "robot.says"),
                            ("test", "test"),
                        ],
                        max_length=32,
                    ),
                ),
                ("by_mail", models.BooleanField()),
                ("by_webhook", models.BooleanField()),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("member"), models.F("kind"), name="choice_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Device",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("seen_at", models.DateTimeField()),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("member"), models.F("digest"), name="device_once"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="happening",
            index=models.Index(models.F("created_at"), name="happening_by_age"),
        ),
        migrations.AddConstraint(
            model_name="happening",
            constraint=models.UniqueConstraint(
                models.F("member"), models.F("kind"), models.F("reference"), name="happening_once"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                models.F("next_at"), condition=models.Q(("state", "waiting")), name="notice_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                models.F("happening"), models.F("endpoint"), name="delivery_once"
            ),
        ),
    ]
