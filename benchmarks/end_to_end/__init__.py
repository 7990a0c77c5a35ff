"""From a producer's fix to an incident on its topic, over Apache Kafka, beside peers that do a lookup only."""
