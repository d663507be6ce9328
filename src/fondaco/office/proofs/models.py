"""What was published, and the leaves under it. Written once, never changed."""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = ["Proof", "ProofAsset", "ProofLeaf"]


class Proof(models.Model):
    """One publication: everything owed after command `seq` of the journal."""

    seq = models.BigIntegerField(primary_key=True)
    made_at = models.CharField(max_length=40)  # as it stands in the files
    house = models.CharField(max_length=64)
    root = models.CharField(max_length=64)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return f"proof at {self.seq}"


class ProofAsset(models.Model):
    """The root and total of one asset."""

    proof = models.ForeignKey(Proof, on_delete=models.CASCADE, related_name="assets")
    code = models.CharField(max_length=12)
    decimals = models.SmallIntegerField()
    root = models.CharField(max_length=64)
    total = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint("proof", "code", name="proof_asset_once")]

    def __str__(self) -> str:
        return f"{self.code} at {self.proof_id}"


class ProofLeaf(models.Model):
    """What one member was owed of one asset."""

    asset = models.ForeignKey(ProofAsset, on_delete=models.CASCADE, related_name="leaves")
    place = models.IntegerField()
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    nonce = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint("asset", "place", name="proof_place_once")]

    def __str__(self) -> str:
        return f"leaf {self.place} of {self.asset_id}"
