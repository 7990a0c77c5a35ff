"""What does a console ask? A model of the topics, folded record by record; pure."""
