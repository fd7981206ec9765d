#!/bin/bash
set -e -E

GEMINI_API_KEY="$GEMINI_API_KEY"
MODEL_ID="gemini-2.5-flash"
GENERATE_CONTENT_API="streamGenerateContent"

cat << EOF > request.json
{
    "contents": [
      {
        "role": "user",
        "parts": [
          {
            "inlineData": {
              "mimeType": "image/png",
              "data": "iVBORw0KGgo="
            }
          },
          {
            "text": "costs $5, `not` a \"command\", it's\nEOF and ${HOME}"
          },
        ]
      },
    ],
    "systemInstruction": {
      "parts": [
        {
          "text": "Be brief."
        },
      ]
    },
    "generationConfig": {
      "temperature": 0.5,
      "thinkingConfig": {
        "thinkingBudget": -1,
      },
      "responseMimeType": "application/json",
      "responseSchema": {
          "type": "object",
          "properties": {
            "a": {
              "type": "string"
            },
          },
        },
    },
    "tools": [
      {
        "googleSearch": {
        }
      },
    ],
}
EOF

curl \
-X POST \
-H "Content-Type: application/json" \
"https://generativelanguage.googleapis.com/v1beta/models/${MODEL_ID}:${GENERATE_CONTENT_API}?key=${GEMINI_API_KEY}" -d '@request.json'
