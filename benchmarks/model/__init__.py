"""The model that is served, by doneyet, by others and in a plain loop."""
