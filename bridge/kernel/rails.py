"""The ways on which banks move money. Where none was chosen it is the institution's usual one, a wire."""

from __future__ import annotations

from django.db import models


class Rail(models.TextChoices):
    ACH = "ach", "ACH"
    SAME_DAY_ACH = "same_day_ach", "same-day ACH"
    FEDWIRE = "fedwire", "Fedwire"
    FEDNOW = "fednow", "FedNow"
    RTP = "rtp", "RTP"
