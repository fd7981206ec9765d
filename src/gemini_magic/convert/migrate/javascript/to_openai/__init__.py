"""The second step to openai: programs of @google/genai, written by hand or by the first step."""
