"""Brings programs of the old SDK (google-generativeai, ended in 2025) to google-genai or openai."""
