export function UsedBy(_: { project: object; dataset: string; number: number }) {
  return null
}
