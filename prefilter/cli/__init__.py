"""The command `prefilter`: one file per group of commands; no logic of any room is written here."""
