"""What people and programs see: events and plans as text."""
