"""What do people see? Questions put to the read model, each within what the asker's agency may know."""
