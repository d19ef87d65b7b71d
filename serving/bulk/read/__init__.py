"""Input files of a bulk run: found, recognised, and read as rows."""
