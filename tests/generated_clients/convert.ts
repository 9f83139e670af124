// Converts a WAV with the generated types: node convert.js http://localhost:8000 song.wav song.mp3

import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [url, wav, mp3] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: url });

function checked<T>({ data, error }: { data?: T; error?: { detail: string } }): T {
  if (error !== undefined) throw new Error(error.detail);
  return data as T;
}

async function finished(id: string) {
  for (;;) {
    const record = checked(
      await client.GET("/records/{record_id}", {
        params: { path: { record_id: id }, header: { prefer: "wait=30" } },
      }),
    );
    if (record.status === "failed") throw new Error(record.error?.detail);
    if (record.status === "done") return record;
  }
}

const user = checked(await client.POST("/users", { body: { name: "typescript" } }));
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${user.token}`);
  },
});
const file = new File([await readFile(wav)], basename(wav));
const form = new FormData();
form.append("wav_file", file);
const accepted = checked(
  await client.POST("/records", {
    params: { query: { bitrate_kbps: 128, if_exists: "rename", title: "TypeScript" } },
    body: { wav_file: file },
    bodySerializer: () => form,
  }),
);
const record = await finished(accepted.id);
const blob = checked(
  await client.GET("/records/{record_id}/mp3", {
    params: { path: { record_id: record.id } },
    parseAs: "blob",
  }),
);
await writeFile(mp3, Buffer.from(await blob.arrayBuffer()));
