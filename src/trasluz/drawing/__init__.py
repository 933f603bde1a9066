"""Pictures: curves, searches, panels of the course, networks."""
