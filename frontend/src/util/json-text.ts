/** JSON as a person reads it: lists of numbers on one line, the rest indented. */
export function jsonText(value: unknown, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== 'object' || one === null)) {
      return `[${value.map((one) => JSON.stringify(one)).join(', ')}]`
    }
    return `[\n${value.map((one) => inner + jsonText(one, inner)).join(',\n')}\n${indent}]`
  }
  if (typeof value === 'object' && value !== null) {
    const lines = Object.entries(value).map(
      ([key, one]) => `${inner}${JSON.stringify(key)}: ${jsonText(one, inner)}`,
    )
    return lines.length > 0 ? `{\n${lines.join(',\n')}\n${indent}}` : '{}'
  }
  return JSON.stringify(value) ?? 'null'
}
