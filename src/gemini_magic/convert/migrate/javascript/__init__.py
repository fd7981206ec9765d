"""JavaScript and TypeScript, brought from @google/generative-ai to @google/genai, or to openai."""
