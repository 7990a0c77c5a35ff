"""What people see: the API over the read model, the desk, and the person's page."""
