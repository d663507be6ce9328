import secrets

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def give_invites(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Members from before have their invite too."""
    invites = apps.get_model("identity", "Invite").objects
    for member in apps.get_model("identity", "Member").objects.filter(invite__isnull=True):
        invites.create(member=member, code=secrets.token_urlsafe(16))


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0002_invites"),
    ]

    operations = [migrations.RunPython(give_invites, migrations.RunPython.noop, elidable=True)]
