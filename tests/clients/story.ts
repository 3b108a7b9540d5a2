// What a program does with the generated TypeScript client; prints what came of it as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

// JSON and problems only: what may also stream has a second type.
const client = createClient<paths, `application/${string}`>({
  baseUrl: process.env.FRONTDESK_URL!,
  headers: { Authorization: `Bearer ${process.env.FRONTDESK_KEY}` },
});
const question = "How long is the warranty of the hub?";

function good<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

let document: components["schemas"]["Document"] = good(
  await client.POST("/api/v1/documents/", {
    body: { title: "Warranty", content: "# Warranty\n\nThe warranty of the hub is two years.", external_id: "typescript/warranty" },
  }),
);
for (let turn = 0; turn < 300 && !["ready", "failed"].includes(document.status); turn += 1) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  document = good(await client.GET("/api/v1/documents/{id}/", { params: { path: { id: document.id } } }));
}

const answer = good(await client.POST("/api/v1/answers/", { body: { question } }));
const session = good(await client.POST("/api/v1/sessions/", { body: {} }));
const said = good(
  await client.POST("/api/v1/sessions/{id}/messages/", { params: { path: { id: session.id } }, body: { content: question } }),
);

const seen: string[] = [];
let cursor: string | undefined;
do {
  const page = good(await client.GET("/api/v1/sessions/", { params: { query: { limit: 1, status: "ai", cursor } } }));
  seen.push(...page.results.map((found) => found.id));
  cursor = page.next ?? undefined;
} while (cursor);

const report = good(await client.GET("/api/v1/cost-summaries/", { params: { query: { group_by: "day", by: "service" } } }));
const refused = (await client.GET("/api/v1/documents/", { params: { query: { cursor: "nonsense" } } })).error!;
const missing = (
  await client.GET("/api/v1/sessions/{id}/messages/{message_id}/", {
    params: { path: { id: session.id, message_id: document.id } },
  })
).error!;

console.log(
  JSON.stringify({
    document: document.status,
    answer: answer.answer,
    cited: answer.citations.every((citation) => citation.title === "Warranty") && answer.citations.length > 0,
    said: said.answer?.content,
    session_listed: seen.includes(session.id),
    sessions: seen.length,
    cost_usd: report.totals.total_cost_usd,
    refused: [refused.status, refused.code, refused.errors[0]?.field],
    missing: [missing.status, missing.code],
  }),
);
