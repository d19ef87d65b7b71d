"""OpenAI's moderation endpoint: its bodies, categories and errors over our use case."""
