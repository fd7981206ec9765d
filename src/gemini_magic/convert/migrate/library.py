"""What a program that was migrated to google-genai may need: functions are copied from here.

Each stands for itself: it imports what it uses.
"""

from __future__ import annotations

from typing import Any


def generate_images(client: Any, *, model: str, prompt: Any, config: Any = None) -> Any:
    """What models.generate_images gave, from a Gemini model: one request for each picture."""
    from google.genai import types

    given = config.model_dump(exclude_none=True) if hasattr(config, "model_dump") else config or {}
    names = ("aspect_ratio", "image_size", "person_generation")
    shape = {name: given[name] for name in names if given.get(name)}
    asked = types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(**shape)
    )
    images = []
    for _ in range(given.get("number_of_images") or 4):
        answer = client.models.generate_content(model=model, contents=prompt, config=asked)
        for part in answer.parts or []:
            if part.inline_data:
                blob = part.inline_data
                image = types.Image(image_bytes=blob.data, mime_type=blob.mime_type)
                images.append(types.GeneratedImage(image=image))
    return types.GenerateImagesResponse(generated_images=images)
