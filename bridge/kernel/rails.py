"""The ways on which banks move money. Where none was chosen it is the institution's usual one, a wire."""

from __future__ import annotations

from typing import Final

from django.db import models

CURRENCY: Final = "USD"  # the only one that any of them carries


class Rail(models.TextChoices):
    ACH = "ach", "ACH"
    SAME_DAY_ACH = "same_day_ach", "same-day ACH"
    FEDWIRE = "fedwire", "Fedwire"
    FEDNOW = "fednow", "FedNow"
    RTP = "rtp", "RTP"
