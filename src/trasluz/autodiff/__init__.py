"""The heart: arrays, the tape, the table of rules, recurrence, keys."""
