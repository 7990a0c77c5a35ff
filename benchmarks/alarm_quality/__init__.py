"""How good are the alarms? Simulated people with known breaches, receivers with known errors, five ways to judge."""
