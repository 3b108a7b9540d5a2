// What the fake server answers, by a word in the question.

const GUIDE = {
  document_id: "d1", chunk_id: "c1", title: "Getting Started Guide", url: "https://docs.example.com/getting-started",
  quote: "Create a project, then add the snippet before the closing body tag. The launcher appears at once.",
};
const BILLING = {
  document_id: "d2", chunk_id: "c2", title: "Plans, invoices and how usage is counted", url: "https://docs.example.com/billing",
  quote: "Usage is counted per conversation, not per message.",
};
const NOTES = { document_id: "d3", chunk_id: "c3", title: "Release notes (internal file)", url: null, quote: "Version 4.2 adds regional hosting." };

export const ANSWERS = {
  hello: {
    text: "You can be up and running in about five minutes:\n\n1. **Create a project** in the dashboard.\n2. Copy the snippet and paste it before `</body>`.\n3. Publish your first document, and the assistant answers from it. [1]\n\nUsage is counted per conversation, so trying things out costs next to nothing. [2]",
    citations: [GUIDE, BILLING],
  },
  rich: {
    text: "## Regions\n\nYour data stays in the region you choose:\n\n| Region | Code | Latency |\n|:--|:-:|--:|\n| Frankfurt | `eu-1` | 18 ms |\n| Virginia | `us-1` | 92 ms |\n\nSet it once:\n\n```bash\nfrontdesk region set eu-1 --project acme --confirm-that-this-line-is-rather-long\n```\n\n> Changing it later moves every document.\n\n- Backups follow the region\n  - nightly\n  - kept for 30 days\n- Logs do *not* leave it ~~ever~~\n\nMore in the [guide](https://docs.example.com/regions) or write to mailto:help@example.com. [1]",
    citations: [NOTES],
  },
  hostile: {
    text: "<img src=x onerror=alert(1)> <script>alert(2)</script> [click](javascript:alert(3)) [data](data:text/html,<script>alert(4)</script>) ![pic](https://evil.example/x.png) [ok](https://example.com/?a=\"onmouseover=alert(5)) <a href=\"javascript:alert(6)\">x</a> [bank](https://bank.com@evil.example/)\n\n```html\n<svg onload=alert(7)>\n```",
    citations: [{ document_id: "d", chunk_id: "c", title: "<b onmouseover=alert(8)>title</b>", url: "javascript:alert(9)", quote: "<img src=x onerror=alert(10)>" }],
  },
  abstain: { text: "I could not find anything about that in the documentation I have.", citations: [], event: "abstained" },
  emoji: { text: "👋🏽 Grüße! 🇩🇪 Das kostet 5 € – 𝒻𝒶𝓃𝒸𝓎 👨‍👩‍👧‍👦 text, zum Schluss noch ein 🎉.", citations: [GUIDE] },
  arabic: { text: "يمكنك البدء خلال **خمس دقائق** تقريبًا:\n\n1. أنشئ مشروعًا.\n2. انسخ الشيفرة `<script>` إلى موقعك.", citations: [GUIDE] },
  code: {
    text: "Paste this:\n\n```js\nimport { connect } from \"acme\";\n\nconst cloud = await connect({ region: \"eu-1\", token: process.env.ACME_TOKEN });\nawait cloud.deploy(\"./site\");\n```\n\nThen run `npm start`. [1]\n\n1. First\n   - nested\n   - again\n2. Second",
    citations: [GUIDE],
  },
  long: { text: Array.from({ length: 30 }, (_, i) => `Paragraph ${i + 1}. ${"The quick brown fox jumps over the lazy dog. ".repeat(3)}`).join("\n\n"), citations: [GUIDE] },
  interrupted: { text: "This answer begins well but then", citations: [], status: "interrupted" },
};

/** The answer to a question: that of the first name which occurs in it, else a greeting one. */
export function answerTo(question) {
  const name = Object.keys(ANSWERS).find((word) => question.toLowerCase().includes(word)) ?? "hello";
  return { event: null, status: "complete", ...ANSWERS[name] };
}
