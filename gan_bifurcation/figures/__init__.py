"""Figures: functions that draw a result on axes."""
