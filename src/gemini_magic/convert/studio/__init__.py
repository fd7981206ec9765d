"""The way in: AI Studio's saved prompts and code become notebooks, and notebooks saved prompts."""
