/** What happens to numbers between the server and a chart. Null is a gap throughout. */

export type Values = (number | null)[]

/**
 * The exponential moving average, as TensorBoard draws it: corrected for its start, so that the
 * first points are not pulled to zero. `weight` is between 0 (as it is) and 1.
 */
export function smoothed(values: Values, weight: number): Values {
  if (weight <= 0) return values
  let sum = 0
  let share = 0
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null
    sum = weight * sum + (1 - weight) * value
    share = weight * share + (1 - weight)
    return sum / share
  })
}

export interface Envelope {
  x: number[]
  mean: Values
  low: Values
  high: Values
}

/**
 * Many points as few: of each stretch of the axis the mean, the lowest and the highest, so that no
 * spike is lost. A stretch whose points are all gaps is a gap; one without points is left out.
 */
export function envelope(x: number[], values: Values, stretches: number): Envelope {
  const thin: Envelope = { x: [], mean: [], low: [], high: [] }
  const first = x[0]
  const last = x.at(-1)
  if (first === undefined || last === undefined) return thin
  const width = (last - first) / stretches || 1
  let at = 0
  while (at < x.length) {
    const stretch = Math.min(Math.floor(((x[at] ?? 0) - first) / width), stretches - 1)
    let [count, total] = [0, 0]
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const begun = at
    while (
      at < x.length &&
      Math.min(Math.floor(((x[at] ?? 0) - first) / width), stretches - 1) === stretch
    ) {
      const value = values[at]
      if (value != null && Number.isFinite(value)) {
        count += 1
        total += value
        if (value < low) low = value
        if (value > high) high = value
      }
      at += 1
    }
    thin.x.push(((x[begun] ?? 0) + (x[at - 1] ?? 0)) / 2)
    thin.mean.push(count > 0 ? total / count : null)
    thin.low.push(count > 0 ? low : null)
    thin.high.push(count > 0 ? high : null)
  }
  return thin
}

/** A way from one rising axis to another and back, as steps and the seconds they were reached. */
export interface Mapping {
  from: number[]
  to: number[]
}

/**
 * When a run was at which step. A script that resumed counts some steps twice; the later time of a
 * step that was already passed says nothing new and is left out.
 */
export function stepsInTime(steps: number[], at: number[]): Mapping {
  const order = steps.map((_, i) => i).sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0) || a - b)
  const mapping: Mapping = { from: [], to: [] }
  for (const i of order) {
    const [second, step] = [at[i] ?? 0, steps[i] ?? 0]
    const reached = mapping.to.at(-1)
    if (reached !== undefined && (step <= reached || second <= (mapping.from.at(-1) ?? 0))) continue
    mapping.from.push(second)
    mapping.to.push(step)
  }
  return mapping
}

export const inverse = ({ from, to }: Mapping): Mapping => ({ from: to, to: from })

/** The place on the other axis, between the known ones in proportion; null beyond them. */
export function mapped({ from, to }: Mapping, value: number): number | null {
  const last = from.length - 1
  if (last < 0 || value < (from[0] ?? 0) || value > (from[last] ?? 0)) return null
  const right = firstFrom(from, value)
  if (right === 0) return to[0] ?? null
  const [a, b] = [from[right - 1] ?? 0, from[right] ?? 0]
  const [c, d] = [to[right - 1] ?? 0, to[right] ?? 0]
  return c + ((d - c) * (value - a)) / (b - a)
}

/** Index of the first of rising numbers that is at least `value`; their count if none is. */
export function firstFrom(rising: readonly number[], value: number): number {
  let [low, high] = [0, rising.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rising[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the one of rising numbers that is nearest to `value`; null if there is none. */
export function nearest(rising: readonly number[], value: number): number | null {
  if (rising.length === 0) return null
  const right = Math.min(firstFrom(rising, value), rising.length - 1)
  const left = Math.max(right - 1, 0)
  return value - (rising[left] ?? 0) <= (rising[right] ?? 0) - value ? left : right
}
