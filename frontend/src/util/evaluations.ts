/** Labels and counts of a confusion matrix in an evaluation's detail, if it has one that fits. */
export function confusionOf(
  detail: Record<string, unknown>,
): { labels: string[]; counts: number[][] } | null {
  const { labels, confusion } = detail
  if (!Array.isArray(labels) || !Array.isArray(confusion) || labels.length === 0) return null
  if (confusion.length !== labels.length) return null
  const square = confusion.every(
    (row) => Array.isArray(row) && row.length === labels.length && row.every(Number.isFinite),
  )
  return square ? { labels: labels.map(String), counts: confusion as number[][] } : null
}
