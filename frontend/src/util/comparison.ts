/** Which of two versions is better, as far as numbers on the same data tell. */
import type { Evaluation } from '@/api/types'

export type Verdict = 'better' | 'worse' | 'same' | 'unknown'

const LESS_IS_BETTER =
  /(^|_)(loss|error|err|mae|mse|rmse|mape|perplexity|wer|cer|latency|time|hinge)(_|$)/
const MORE_IS_BETTER =
  /(^|_)(accuracy|acc|f1|precision|recall|auc|auroc|ap|map|iou|dice|r2|bleu|rouge|kappa|mcc|score|top\d+)(_|$)/

/** Which way is up for a metric, by its name; null when the name does not tell. */
export function direction(metric: string): 'more' | 'less' | null {
  const name = metric.toLowerCase().replace(/[^a-z0-9]+/g, '_')
  if (LESS_IS_BETTER.test(name)) return 'less'
  return MORE_IS_BETTER.test(name) ? 'more' : null
}

export interface Difference {
  by: number
  verdict: Verdict
}

/** From `then` to `now`; null where either was not measured. */
export function difference(
  metric: string,
  now: number | null | undefined,
  then: number | null | undefined,
): Difference | null {
  if (now == null || then == null) return null
  const by = now - then
  if (by === 0) return { by, verdict: 'same' }
  const way = direction(metric)
  if (way === null) return { by, verdict: 'unknown' }
  return { by, verdict: by > 0 === (way === 'more') ? 'better' : 'worse' }
}

type Measured = Pick<Evaluation, 'dataset_version' | 'split' | 'created_at'>

/** Newest first. */
export const newestFirst = <T extends Pick<Measured, 'created_at'>>(
  evaluations: readonly T[],
): T[] => [...evaluations].sort((a, b) => b.created_at.localeCompare(a.created_at))

/** The newest among others that was measured on the same data; only these can be compared. */
export const sameData = <T extends Measured>(
  evaluation: Measured | undefined,
  others: readonly T[],
): T | undefined =>
  evaluation &&
  newestFirst(others).find(
    (other) =>
      other.dataset_version === evaluation.dataset_version && other.split === evaluation.split,
  )

/** What both were measured on, by the newest evaluation of the first that the second has too. */
export function inCommon<T extends Measured>(
  mine: readonly T[],
  theirs: readonly T[],
): [T, T] | null {
  for (const one of newestFirst(mine)) {
    const other = sameData(one, theirs)
    if (other) return [one, other]
  }
  return null
}

/** Every metric that any of the evaluations has: those of the first, in its order, then the rest. */
export const metricNames = (
  ...evaluations: (Pick<Evaluation, 'metrics'> | undefined)[]
): string[] => [...new Set(evaluations.flatMap((one) => Object.keys(one?.metrics ?? {})))]

/** What an evaluation says besides its metrics: `detail` of apps/registry/services.py. */
export interface EvaluationDetails {
  labels: string[]
  confusion: number[][]
  per_class: Record<string, Record<string, number>>
}

export const detailsOf = (evaluation: Pick<Evaluation, 'detail'>): EvaluationDetails => {
  const {
    labels = [],
    confusion = [],
    per_class = {},
  } = evaluation.detail as Partial<EvaluationDetails>
  return { labels, confusion, per_class }
}

/** How many of the samples really are of each class. */
export function support({ labels, confusion }: EvaluationDetails, label: string): number | null {
  const row = confusion[labels.indexOf(label)]
  return row ? row.reduce((sum, count) => sum + count, 0) : null
}
