"""The tables of projections; of the steps by which they came about nothing is left to do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("projections", "0001_initial"),
        ("projections", "0002_venue_orders"),
        ("projections", "0003_quotes"),
        ("projections", "0004_working_us"),
        ("projections", "0005_summaries"),
        ("projections", "0006_lists"),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("code", models.TextField()),
                ("decimals", models.SmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Candle1d",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("open_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("close_ticks", models.BigIntegerField()),
                ("volume_lots", models.BigIntegerField()),
                ("volume_quote", models.BigIntegerField()),
                ("taker_buy_lots", models.BigIntegerField()),
                ("taker_buy_quote", models.BigIntegerField()),
                ("trades", models.BigIntegerField()),
                ("first_trade_id", models.BigIntegerField()),
                ("last_trade_id", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Candle1h",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("open_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("close_ticks", models.BigIntegerField()),
                ("volume_lots", models.BigIntegerField()),
                ("volume_quote", models.BigIntegerField()),
                ("taker_buy_lots", models.BigIntegerField()),
                ("taker_buy_quote", models.BigIntegerField()),
                ("trades", models.BigIntegerField()),
                ("first_trade_id", models.BigIntegerField()),
                ("last_trade_id", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Candle1m",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("open_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("close_ticks", models.BigIntegerField()),
                ("volume_lots", models.BigIntegerField()),
                ("volume_quote", models.BigIntegerField()),
                ("taker_buy_lots", models.BigIntegerField()),
                ("taker_buy_quote", models.BigIntegerField()),
                ("trades", models.BigIntegerField()),
                ("first_trade_id", models.BigIntegerField()),
                ("last_trade_id", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Cursor",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("time_us", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ImportedFile",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("instrument", models.IntegerField()),
                ("rows", models.BigIntegerField()),
                ("first_trade_id", models.BigIntegerField()),
                ("last_trade_id", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Instrument",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("symbol", models.TextField(unique=True)),
                ("base", models.IntegerField()),
                ("quote", models.IntegerField()),
                ("market", models.SmallIntegerField()),
                ("tick_size", models.TextField()),
                ("lot_size", models.TextField()),
                ("base_per_lot", models.BigIntegerField()),
                ("quote_per_lot_tick", models.BigIntegerField()),
                ("status", models.SmallIntegerField()),
                ("venue", models.TextField(default="")),
                ("name", models.TextField(default="")),
                ("stock_id", models.TextField(default="")),
            ],
        ),
        migrations.CreateModel(
            name="QuoteBar1d",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first_us", models.BigIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("first_ticks", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("last_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("sum_high", models.BigIntegerField()),
                ("sum_low", models.BigIntegerField()),
                ("quotes", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="QuoteBar1h",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first_us", models.BigIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("first_ticks", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("last_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("sum_high", models.BigIntegerField()),
                ("sum_low", models.BigIntegerField()),
                ("quotes", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="QuoteBar1m",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first_us", models.BigIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("first_ticks", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("last_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("sum_high", models.BigIntegerField()),
                ("sum_low", models.BigIntegerField()),
                ("quotes", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("updated_seq", models.BigIntegerField()),
                ("updated_us", models.BigIntegerField()),
                ("account", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("status", models.SmallIntegerField()),
                ("side", models.SmallIntegerField()),
                ("order_type", models.SmallIntegerField()),
                ("time_in_force", models.SmallIntegerField()),
                ("self_trade", models.SmallIntegerField()),
                ("price_ticks", models.BigIntegerField()),
                ("stop_price_ticks", models.BigIntegerField()),
                ("quantity_lots", models.BigIntegerField()),
                ("filled_lots", models.BigIntegerField()),
                ("filled_quote", models.BigIntegerField()),
                ("quote_quantity", models.BigIntegerField()),
                ("created_us", models.BigIntegerField()),
                ("client_order_id_0", models.BigIntegerField()),
                ("client_order_id_1", models.BigIntegerField()),
                ("client_order_id_2", models.BigIntegerField()),
                ("client_order_id_3", models.BigIntegerField()),
                ("working_us", models.BigIntegerField()),
                ("list_id", models.BigIntegerField()),
                ("client_fold", models.BigIntegerField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("account"),
                        models.F("instrument"),
                        models.F("id"),
                        name="order_of_account",
                    ),
                    models.Index(
                        models.F("client_fold"),
                        condition=models.Q(("client_fold__isnull", False)),
                        name="order_by_client_id",
                    ),
                ],
            },
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
                ("list_client_id_0", models.BigIntegerField()),
                ("list_client_id_1", models.BigIntegerField()),
                ("list_client_id_2", models.BigIntegerField()),
                ("list_client_id_3", models.BigIntegerField()),
                ("stop_client_id_0", models.BigIntegerField()),
                ("stop_client_id_1", models.BigIntegerField()),
                ("stop_client_id_2", models.BigIntegerField()),
                ("stop_client_id_3", models.BigIntegerField()),
                ("profit_client_id_0", models.BigIntegerField()),
                ("profit_client_id_1", models.BigIntegerField()),
                ("profit_client_id_2", models.BigIntegerField()),
                ("profit_client_id_3", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(models.F("account"), models.F("id"), name="list_of_account")
                ],
            },
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("time_us", models.BigIntegerField()),
                ("debit_account", models.BigIntegerField()),
                ("credit_account", models.BigIntegerField()),
                ("asset", models.IntegerField()),
                ("amount", models.BigIntegerField()),
                ("cause", models.SmallIntegerField()),
                ("entry", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("debit_account"),
                        models.F("asset"),
                        models.F("id"),
                        name="posting_debit",
                    ),
                    models.Index(
                        models.F("credit_account"),
                        models.F("asset"),
                        models.F("id"),
                        name="posting_credit",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Quote",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "message_us",
                        "price_ticks",
                        "availability_lots",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("instrument", models.IntegerField()),
                ("message_us", models.BigIntegerField()),
                ("price_ticks", models.BigIntegerField()),
                ("availability_lots", models.BigIntegerField()),
                ("seq", models.BigIntegerField()),
                ("verdict", models.SmallIntegerField()),
                ("first_trade_id", models.BigIntegerField()),
                ("trades", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("instrument"),
                        models.F("message_us"),
                        models.F("seq"),
                        condition=models.Q(("trades__gt", 0)),
                        name="quote_that_filled",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Summary",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("updated_seq", models.BigIntegerField()),
                ("updated_us", models.BigIntegerField()),
                ("account", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("period", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("is_closed", models.SmallIntegerField()),
                ("bought_lots", models.BigIntegerField()),
                ("bought_quote", models.BigIntegerField()),
                ("sold_lots", models.BigIntegerField()),
                ("sold_quote", models.BigIntegerField()),
                ("profit", models.BigIntegerField()),
                ("position", models.BigIntegerField()),
                ("cost", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("account"),
                        models.F("period"),
                        models.F("number"),
                        name="summaries_of_a_robot",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("time_us", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("trade_id", models.BigIntegerField()),
                ("price_ticks", models.BigIntegerField()),
                ("quantity_lots", models.BigIntegerField()),
                ("quote_amount", models.BigIntegerField()),
                ("taker_side", models.SmallIntegerField()),
                ("buy_order_id", models.BigIntegerField()),
                ("sell_order_id", models.BigIntegerField()),
                ("buyer_account", models.BigIntegerField()),
                ("seller_account", models.BigIntegerField()),
                ("buyer_fee", models.BigIntegerField()),
                ("seller_fee", models.BigIntegerField()),
                ("buyer_fee_asset", models.IntegerField()),
                ("seller_fee_asset", models.IntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("buyer_account"),
                        models.F("id"),
                        condition=models.Q(("buyer_account__gt", 0)),
                        name="trade_of_buyer",
                    ),
                    models.Index(
                        models.F("seller_account"),
                        models.F("id"),
                        condition=models.Q(("seller_account__gt", 0)),
                        name="trade_of_seller",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VenueOrder",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("updated_seq", models.BigIntegerField()),
                ("updated_us", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("status", models.SmallIntegerField()),
                ("side", models.SmallIntegerField()),
                ("limit_ticks", models.BigIntegerField()),
                ("quantity_lots", models.BigIntegerField()),
                ("notional", models.BigIntegerField()),
                ("filled_base", models.BigIntegerField()),
                ("filled_quote", models.BigIntegerField()),
                ("attempts", models.SmallIntegerField()),
                ("parts", models.IntegerField()),
                ("created_us", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("instrument"), models.F("id"), name="venue_order_of_instrument"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VenuePart",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("venue_order", models.BigIntegerField()),
                ("account", models.BigIntegerField()),
                ("quantity_lots", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("venue_order"), models.F("id"), name="part_of_venue_order"
                    )
                ],
            },
        ),
    ]
