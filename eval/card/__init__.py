"""The model card: the evaluation document turned into tables, plots and pages."""
