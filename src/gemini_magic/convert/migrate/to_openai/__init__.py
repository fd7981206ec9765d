"""The second target: programs on openai's SDK, for any service that is compatible."""
