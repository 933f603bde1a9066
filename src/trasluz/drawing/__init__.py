"""Pictures, drawn without a screen: curves, searches, panels of the course, networks."""
