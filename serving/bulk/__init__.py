"""Files in, files out, without a server: rows of JSONL, CSV and Parquet scored and decided.

The command line uses `score_files`, `decide_file` and `import_cases` from the modules of those
names; nothing is imported here, so that each command pays only for what it needs.
"""
