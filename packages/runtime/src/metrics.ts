import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Request latencies: 1 ms is a memory answer, 5 s the longest timeout of a caller. */
const DEFAULT_SECONDS_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export type Metrics = {
  counter: (name: string, help: string, labelNames?: string[]) => Counter;
  gauge: (name: string, help: string, labelNames?: string[]) => Gauge;
  histogram: (name: string, help: string, labelNames?: string[], buckets?: number[]) => Histogram;
  contentType: string;
  /** All metrics in Prometheus' text format. */
  text: () => Promise<string>;
};

/**
 * A process' own set of metrics (no global registry, so that two services in one test do not mix)
 * with Node's default ones; every metric carries the label `service`.
 */
export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    counter: (name, help, labelNames = []) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, labelNames = []) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name, help, labelNames = [], buckets = DEFAULT_SECONDS_BUCKETS) =>
      new Histogram({ name, help, labelNames, buckets, registers }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
