"""What it means: verdicts, absence, identity, scores, alerts, coordination; pure functions of state and event."""
