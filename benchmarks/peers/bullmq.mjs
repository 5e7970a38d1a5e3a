// BullMQ: `node bullmq.mjs enqueue COUNT` fills its queue, `node bullmq.mjs work` drains it.

import { Queue, Worker } from "bullmq";

const CHUNK = 1000;
const connection = { url: process.env.BENCH_REDIS_URL, maxRetriesPerRequest: null };

async function enqueue(count) {
  const queue = new Queue("noop", { connection });
  for (let start = 0; start < count; start += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, count - start) }, (_, i) => start + i);
    await queue.addBulk(numbers.map((number) => ({ name: "noop", data: { number } })));
  }
  await queue.close();
}

const [what, count] = process.argv.slice(2);
if (what === "enqueue") await enqueue(Number(count));
else new Worker("noop", async (job) => job.data.number, { connection, concurrency: 100 });
