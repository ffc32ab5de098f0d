"""How Django itself writes moments and days: as `bridge.console.display` does. The page's head says that it is UTC."""

DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "d M Y H:i"
DATE_FORMAT = SHORT_DATE_FORMAT = "d M Y"
TIME_FORMAT = "H:i"
