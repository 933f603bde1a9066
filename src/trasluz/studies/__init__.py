"""Many trainings: at once, or one after the other as a search decides."""
