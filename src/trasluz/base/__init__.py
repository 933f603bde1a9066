"""What every part uses: trees, files, messages, names."""
