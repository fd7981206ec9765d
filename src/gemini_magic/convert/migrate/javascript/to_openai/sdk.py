"""What @google/genai has, as far as programs of AI Studio use it."""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript.kind import Kind, Sdk, promise

SDK = Sdk(
    methods={
        ("models", "generateContent"): promise("response"),
        ("models", "generateContentStream"): promise("stream"),
        ("models", "embedContent"): promise("embedded"),
        ("models", "generateImages"): promise("images"),
        ("chats", "create"): Kind("chat"),
        ("chat", "sendMessage"): promise("response"),
        ("chat", "sendMessageStream"): promise("stream"),
        ("chat", "getHistory"): Kind("other"),
    },
    properties={
        ("client", "models"): Kind("models"),
        ("client", "chats"): Kind("chats"),
        ("client", "files"): Kind("service"),
        ("client", "caches"): Kind("service"),
        ("client", "live"): Kind("service"),
        ("client", "batches"): Kind("service"),
        ("client", "tunings"): Kind("service"),
        ("client", "operations"): Kind("service"),
        ("client", "authTokens"): Kind("service"),
        ("client", "interactions"): Kind("service"),
        ("client", "fileSearchStores"): Kind("service"),
        ("whole", "stream"): Kind("stream"),
        ("whole", "response"): promise("response"),
        ("embedded", "embeddings"): Kind("list", inner=Kind("embedding")),
        ("images", "generatedImages"): Kind("list", inner=Kind("image")),
        ("image", "image"): Kind("picture"),
        ("response", "usageMetadata"): Kind("usage"),
        ("chunk", "usageMetadata"): Kind("usage"),
        ("response", "text"): Kind("other"),
        ("chunk", "text"): Kind("other"),
    },
    classes={"GoogleGenAI": "client"},
    types={"GoogleGenAI": "client", "Chat": "chat", "GenerateContentResponse": "response"},
    distinct=frozenset({"models", "chats", "sendMessageStream"}),
    items={"stream": Kind("chunk")},
)
#: What the service's own form has no place for, wherever it stands in a request.
NO_EQUAL = frozenset(
    {"safetySettings", "topK", "thinkingConfig", "cachedContent", "speechConfig", "imageConfig",
     "responseModalities", "mediaResolution", "googleSearch", "googleSearchRetrieval",
     "urlContext", "codeExecution", "googleMaps", "audioTimestamp", "labels", "httpOptions",
     "abortSignal", "automaticFunctionCalling", "videoMetadata"}
)  # fmt: skip
USAGE = {
    "promptTokenCount": "prompt_tokens",
    "candidatesTokenCount": "completion_tokens",
    "totalTokenCount": "total_tokens",
}
