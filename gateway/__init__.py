"""How it comes in: HTTP, MQTT and device protocols, to frames on topics."""
