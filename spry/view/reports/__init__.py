"""What is left of a run for people and programs who were not there: one module for each format."""
