"""Files in, files out: scoring, deciding and deferring rows of JSONL, CSV and Parquet, with no server
running.

The door and the command line use `score_files`, `decide_file` and `import_cases` from the modules of those
names; nothing is imported here, so that each command pays only for what it needs.
"""
