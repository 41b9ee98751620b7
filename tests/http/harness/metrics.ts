/** Prometheus' text format, read strictly: what a lenient reader would let pass is an error here. */
import assert from "node:assert/strict";

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

export type Page = Map<string, Family>;

const HEAD = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/g;
const SUFFIXES: Record<string, string[]> = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] };

/** isOpen: OpenMetrics, where a counter's family has no "_total" and the page ends with "# EOF". */
export function readPage(text: string, isOpen = false): Page {
  const page: Page = new Map();
  const seen = new Set<string>();
  let current: [string, Family] | undefined;
  assert.ok(text.endsWith("\n"), "the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  if (isOpen) assert.equal(lines.pop(), "# EOF");
  for (const line of lines) {
    const head = HEAD.exec(line);
    if (head) {
      const [, what, name, rest] = head as unknown as [string, string, string, string];
      if (what === "HELP") {
        assert.ok(!page.has(name), `${name} is there twice`);
        current = [name, { type: "", help: rest, samples: [] }];
        page.set(name, current[1]);
      } else {
        assert.equal(name, current?.[0], `TYPE without its HELP: ${line}`);
        assert.ok(rest in SUFFIXES, line);
        current![1].type = rest;
      }
      continue;
    }
    const match = SAMPLE.exec(line);
    assert.ok(match && current, `not a line of the format: ${line}`);
    const [, name, labelText = "", value] = match;
    const [family, { type, samples }] = current;
    const suffixes = isOpen && type === "counter" ? ["_total"] : SUFFIXES[type]!;
    assert.ok(suffixes.some((suffix) => name === family + suffix), `${name} is not of ${family}`);
    const series = `${name}{${labelText}}`;
    assert.ok(!seen.has(series), `${series} is there twice`);
    seen.add(series);
    assert.match(value!, /^\d+(\.\d+)?$/, line);
    samples.push({ name: name!, labels: Object.fromEntries([...labelText.matchAll(LABEL)].map(([, k, v]) => [k, v])), value: Number(value) });
  }
  for (const [name, family] of page) if (family.type === "histogram") checkHistogram(name, family);
  return page;
}

/** Buckets rise, in the order of their bounds, and the last has all that was observed. */
function checkHistogram(name: string, family: Family): void {
  const before = new Map<string, { le: number; value: number }>();
  for (const { name: sample, labels: { le, ...labels }, value } of family.samples) {
    const series = JSON.stringify(labels);
    const last = before.get(series);
    if (sample === `${name}_bucket`) {
      const bound = le === "+Inf" ? Infinity : Number(le);
      assert.ok(!last || (bound > last.le && value >= last.value), `${name}: the bucket ${le} of ${series}`);
      before.set(series, { le: bound, value });
    } else {
      assert.equal(le, undefined);
      assert.equal(last?.le, Infinity, `${name}: ${series} has no bucket +Inf`);
      if (sample === `${name}_count`) assert.equal(value, last?.value);
    }
  }
}

/** The value of the one sample with these labels; 0 if there is none, as Prometheus takes it. */
export function valueOf(page: Page, name: string, labels: Record<string, string> = {}): number {
  const found = [...page.values()]
    .flatMap((family) => family.samples)
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
  assert.ok(found.length <= 1, `${name} ${JSON.stringify(labels)}: ${found.length} samples`);
  return found[0]?.value ?? 0;
}

/** Of a server that was started with `metrics_listen: "127.0.0.1:0", log_format: "json"`. */
export async function metricOf(server: { log: string }, name: string, labels: Record<string, string> = {}): Promise<number> {
  const address = /"event":"metrics.listening","address":"([^"]+)"/.exec(server.log)?.[1];
  return valueOf(readPage(await (await fetch(`http://${address}/metrics`)).text()), name, labels);
}
