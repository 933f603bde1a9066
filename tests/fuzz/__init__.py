"""An attack on all that is read from outside: files, tables, options, arguments of Python.

    python -m fuzz --cases 20000 --seed 1          # from within tests/
    python -m fuzz --only sheets --case 17 --seed 1    # one case again, with its trace

Each case follows from the seed, its kind and its number alone. Files are forged with checksums that
fit. A case fails if it ends in anything but a result or a sentence that says how to mend it, runs
for over ten seconds of a processor, takes over 2 GB, or touches what is not its run's.
"""
