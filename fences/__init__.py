"""Where: datums, metres, shapes, the index, schedules and verdicts; pure."""
