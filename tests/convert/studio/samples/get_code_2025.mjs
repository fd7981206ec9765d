// To run this code you need to install the following dependencies:
// npm install @google/genai mime
// npm install -D @types/node

import {
  GoogleGenAI,
  Type,
} from '@google/genai';

async function main() {
  const ai = new GoogleGenAI({
    apiKey: process.env.GEMINI_API_KEY,
  });
  const tools = [
    { urlContext: {} },
    {
      googleSearch: {
      }
    },
  ];
  const config = {
    temperature: 0.5,
    thinkingConfig: {
      thinkingBudget: 0,
    },
    tools,
    responseMimeType: 'application/json',
    responseSchema: {
      type: Type.OBJECT,
      required: ["a"],
      properties: {
        a: {
          type: Type.ARRAY,
          items: { type: Type.INTEGER },
        },
      },
    },
    systemInstruction: [
        {
          text: `Be \`brief\`, \${really}.`,
        }
    ],
  };
  const model = 'gemini-2.5-flash';
  const contents = [
    {
      role: 'user',
      parts: [
        {
          text: `It's "quoted" // no comment { } and {{ x }}`,
        },
      ],
    },
    {
      role: 'model',
      parts: [
        {
          text: `old answer`,
        },
      ],
    },
    {
      role: 'user',
      parts: [
        {
          text: `INSERT_INPUT_HERE`,
        },
      ],
    },
  ];

  const response = await ai.models.generateContentStream({
    model,
    config,
    contents,
  });
  let fileIndex = 0;
  for await (const chunk of response) {
    console.log(chunk.text);
  }
}

main();
