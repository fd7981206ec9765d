"""What @google/generative-ai 0.24 has, and what stands for it in @google/genai 3.

Both read in the packages; a test holds the tables against them.
"""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript.kind import Kind, Sdk, promise

SDK = Sdk(
    methods={
        ("client", "getGenerativeModel"): Kind("model"),
        ("client", "getGenerativeModelFromCachedContent"): Kind("model"),
        ("model", "generateContent"): promise("result"),
        ("model", "generateContentStream"): promise("streamed"),
        ("model", "startChat"): Kind("chat"),
        ("model", "embedContent"): promise("embedded"),
        ("model", "batchEmbedContents"): promise("other"),
        ("model", "countTokens"): promise("other"),
        ("chat", "sendMessage"): promise("result"),
        ("chat", "sendMessageStream"): promise("streamed"),
        ("chat", "getHistory"): promise("other"),
        ("response", "text"): Kind("other"),
        ("response", "functionCall"): Kind("other"),
        ("response", "functionCalls"): Kind("other"),
        ("files", "uploadFile"): promise("uploaded"),
        ("files", "getFile"): promise("other"),
        ("files", "listFiles"): promise("listed"),
        ("files", "deleteFile"): promise("other"),
        ("caches", "create"): promise("other"),
        ("caches", "get"): promise("other"),
        ("caches", "list"): promise("listed"),
        ("caches", "update"): promise("other"),
        ("caches", "delete"): promise("other"),
    },
    properties={
        ("result", "response"): Kind("response"),
        ("streamed", "stream"): Kind("stream"),
        ("streamed", "response"): promise("response"),
        ("response", "candidates"): Kind("other"),
        ("response", "usageMetadata"): Kind("other"),
        ("response", "promptFeedback"): Kind("other"),
    },
    classes={
        "GoogleGenerativeAI": "client",
        "GoogleAIFileManager": "files",
        "GoogleAICacheManager": "caches",
    },
    types={
        "GoogleGenerativeAI": "client",
        "GenerativeModel": "model",
        "ChatSession": "chat",
        "GenerateContentResult": "result",
        "EnhancedGenerateContentResponse": "response",
        "GenerateContentStreamResult": "streamed",
        "EmbedContentResponse": "embedded",
        "GoogleAIFileManager": "files",
        "GoogleAICacheManager": "caches",
    },
    distinct=frozenset(
        {
            "getGenerativeModel",
            "generateContent",
            "generateContentStream",
            "startChat",
            "batchEmbedContents",
            "sendMessageStream",
            "getGenerativeModelFromCachedContent",
        }
    ),
    items={"stream": Kind("response")},
)

#: Names that are the same thing under another name. Those of types stand for what they describe.
RENAMED = {
    "GoogleGenerativeAI": "GoogleGenAI",
    "GoogleAIFileManager": "GoogleGenAI",
    "GoogleAICacheManager": "GoogleGenAI",
    "SchemaType": "Type",
    "FunctionDeclarationSchemaType": "Type",
    "FunctionCallingMode": "FunctionCallingConfigMode",
    "DynamicRetrievalMode": "DynamicRetrievalConfigMode",
    "ExecutableCodeLanguage": "Language",
    "BlockReason": "BlockedReason",
    "GoogleGenerativeAIError": "ApiError",
    "GoogleGenerativeAIFetchError": "ApiError",
    "GoogleGenerativeAIResponseError": "ApiError",
    "GoogleGenerativeAIRequestInputError": "ApiError",
    "GoogleGenerativeAIAbortError": "ApiError",
    "ChatSession": "Chat",
    "GenerateContentResult": "GenerateContentResponse",
    "EnhancedGenerateContentResponse": "GenerateContentResponse",
    "GenerateContentCandidate": "Candidate",
    "GenerationConfig": "GenerateContentConfig",
    "GenerateContentRequest": "GenerateContentParameters",
    "StartChatParams": "CreateChatParameters",
    "CountTokensRequest": "CountTokensParameters",
    "EmbedContentRequest": "EmbedContentParameters",
    "GenerativeContentBlob": "Blob",
    "InlineDataPart": "Part",
    "TextPart": "Part",
    "FileDataPart": "Part",
    "FunctionCallPart": "Part",
    "FunctionResponsePart": "Part",
    "ExecutableCodePart": "Part",
    "CodeExecutionResultPart": "Part",
    "FunctionDeclarationsTool": "Tool",
    "CodeExecutionTool": "Tool",
    "GoogleSearchRetrievalTool": "Tool",
    "FunctionDeclarationSchema": "Schema",
    "FunctionDeclarationSchemaProperty": "Schema",
    "ResponseSchema": "Schema",
    "ObjectSchema": "Schema",
    "ArraySchema": "Schema",
    "StringSchema": "Schema",
    "SimpleStringSchema": "Schema",
    "EnumStringSchema": "Schema",
    "NumberSchema": "Schema",
    "IntegerSchema": "Schema",
    "BooleanSchema": "Schema",
    "UsageMetadata": "GenerateContentResponseUsageMetadata",
    "PromptFeedback": "GenerateContentResponsePromptFeedback",
    "FileMetadataResponse": "File",
    "UploadFileResponse": "File",
    "RequestOptions": "HttpOptions",
    "SingleRequestOptions": "HttpOptions",
}
#: Names that are the same in both.
SAME = frozenset(
    {"HarmCategory", "HarmBlockThreshold", "HarmProbability", "FinishReason", "Outcome",
     "FileState", "Content", "Part", "Tool", "ToolConfig", "Schema", "SafetySetting",
     "SafetyRating", "FunctionCall", "FunctionResponse", "FunctionDeclaration",
     "FunctionCallingConfig", "CachedContent", "CitationMetadata", "CodeExecutionResult",
     "ContentEmbedding", "CountTokensResponse", "EmbedContentResponse", "ExecutableCode",
     "FileData", "GenerateContentResponse", "GoogleSearchRetrieval", "GroundingChunk",
     "GroundingChunkWeb", "GroundingMetadata", "GroundingSupport", "LogprobsResult",
     "RetrievalMetadata", "SearchEntryPoint", "VideoMetadata", "DynamicRetrievalConfig"}
)  # fmt: skip
#: What is there when a program runs; all else is a type.
VALUES = frozenset(
    {"GoogleGenAI", "Chat", "ApiError", "Type", "FunctionCallingConfigMode", "HarmCategory",
     "DynamicRetrievalConfigMode", "Language", "BlockedReason", "HarmBlockThreshold", "Outcome",
     "HarmProbability", "FinishReason", "FileState", "GenerateContentResponse",
     "EmbedContentResponse", "CountTokensResponse", "FunctionResponse", "default",
     "GenerateContentResponseUsageMetadata", "GenerateContentResponsePromptFeedback"}
)  # fmt: skip
#: Types that stand for more than one name.
WRITTEN = {
    "GenerativeModel": ("GenerateContentParameters", 'Omit<{}, "contents">'),
    "ModelParams": ("GenerateContentParameters", 'Omit<{}, "contents">'),
    "GenerateContentStreamResult": ("GenerateContentResponse", "AsyncGenerator<{}>"),
}
#: An enumeration whose members are texts in the new SDK.
TEXTS = {"TaskType": ("TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT",
                      "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING")}  # fmt: skip
#: Errors that nothing is raised for any more.
GONE = frozenset(
    {"GoogleGenerativeAIResponseError", "GoogleGenerativeAIRequestInputError",
     "GoogleGenerativeAIAbortError"}
)  # fmt: skip
#: Enumerations with other values: what compares them to texts of its own has to be looked at.
REVALUED = frozenset({"Outcome", "ExecutableCodeLanguage"})
#: Settings of a request, which the new SDK has beside all others.
REQUEST_OPTIONS = {"timeout": "timeout", "baseUrl": "baseUrl", "apiVersion": "apiVersion",
                   "customHeaders": "headers"}  # fmt: skip
