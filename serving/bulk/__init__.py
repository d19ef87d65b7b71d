"""Files in, files out, without a server: rows of JSONL, CSV and Parquet scored and decided.

The three use cases are `score_files` (run/bulk_run.py), `decide_file` (redecision.py) and `import_cases`
(case_import.py). Nothing is imported here, so that each command pays only for what it needs. `run` imports
`read` and `write`, `write` imports `read`, never the other way round.
"""
