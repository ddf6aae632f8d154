import type { TrafficRange } from './path-builder'

/** How far back the charts of an endpoint go, in seconds. */
export const RANGE_SECONDS: Record<TrafficRange, number> = {
  '15m': 900,
  '1h': 3600,
  '6h': 6 * 3600,
  '24h': 24 * 3600,
  '7d': 7 * 24 * 3600,
}

export const RANGES = Object.keys(RANGE_SECONDS) as TrafficRange[]
