"""Dates and times as the dashboard writes them: the admin's default is American, with a.m."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "Y-m-d H:i:s"
