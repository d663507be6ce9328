"""The tables of billing; of the steps by which they came about nothing is left to do."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("billing", "0001_initial"),
        ("billing", "0002_reminder"),
    ]

    initial = True

    dependencies = [
        ("identity", "0001_tables"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Declared",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("until", models.DateField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SandboxSession",
            fields=[
                ("id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("idempotency_key", models.CharField(max_length=255, null=True, unique=True)),
                ("asked", models.CharField(max_length=64)),
                ("payment_intent", models.CharField(max_length=255, unique=True)),
                ("client_reference_id", models.CharField(blank=True, default="", max_length=200)),
                ("amount_total", models.IntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("success_url", models.TextField()),
                ("cancel_url", models.TextField()),
                ("status", models.CharField(default="open", max_length=16)),
                ("is_paid", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Ending",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("payment_intent", models.CharField(max_length=255)),
                (
                    "cause",
                    models.CharField(
                        choices=[("refund", "refund"), ("dispute", "dispute")], max_length=16
                    ),
                ),
                ("reference", models.CharField(max_length=255)),
                ("restored", models.BooleanField(default=False)),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("payment_intent"),
                        models.F("cause"),
                        models.F("reference"),
                        name="ending_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=16)),
                ("event", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=255)),
                ("received_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("provider"), models.F("event"), name="payment_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SandboxDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("body", models.TextField()),
                ("due_at", models.DateTimeField()),
                ("delivered_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("due_at"),
                        condition=models.Q(("delivered_at__isnull", True)),
                        name="delivery_due",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Purchase",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=16)),
                ("session", models.CharField(max_length=255, null=True, unique=True)),
                ("url", models.TextField(blank=True, default="")),
                ("payment_intent", models.CharField(blank=True, default="", max_length=255)),
                ("amount_cents", models.IntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("paid_at", models.DateTimeField(null=True)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="purchases",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(models.F("payment_intent"), name="purchase_by_intent")],
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("until", models.DateField()),
                ("days_before", models.SmallIntegerField()),
                ("sent_at", models.DateTimeField(auto_now_add=True)),
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
                        models.F("member"),
                        models.F("until"),
                        models.F("days_before"),
                        name="reminder_once",
                    )
                ],
            },
        ),
    ]
