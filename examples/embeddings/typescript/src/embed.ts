// Embeds texts with OpenAI's own client: `npm install`, then `npm start`.
//
// RAGSTEAD_URL says where the service is (http://127.0.0.1:8081/v1), RAGSTEAD_API_KEY is its key if it has one.

import OpenAI from "openai";

const sentences = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"];

/** The cosine of two vectors; they have unit length, so that it is their product. */
function cosine(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

const client = new OpenAI({
  baseURL: process.env.RAGSTEAD_URL ?? "http://127.0.0.1:8081/v1",
  apiKey: process.env.RAGSTEAD_API_KEY ?? "unused",
});

const reply = await client.embeddings.create({ model: "text-embedding-3-small", input: sentences });
const [first, second, third] = reply.data.map((one) => one.embedding) as [number[], number[], number[]];
console.log(`${reply.model}: ${first.length} dimensions, ${reply.usage.prompt_tokens} tokens`);
console.log(`${cosine(first, second).toFixed(3)}  ${sentences[0]} | ${sentences[1]}`);
console.log(`${cosine(first, third).toFixed(3)}  ${sentences[0]} | ${sentences[2]}`);

// The client asks for base64 and decodes it; a reader of JSON may want numbers.
const alone = await client.embeddings.create({
  model: "all-MiniLM-L6-v2",
  input: sentences[0]!,
  encoding_format: "float",
});
console.log(`${cosine(first, alone.data[0]!.embedding).toFixed(3)}  the first sentence with itself, embedded alone`);
