/** A folder as one file: a .zip whose members are stored as they are. */

export interface Member {
  /** With slashes between folders. */
  path: string
  bytes: Uint8Array<ArrayBuffer>
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const UTF8 = 0x0800
/** The first day a .zip can name: the same files give the same bytes. */
const DATE = 0x21

export function zip(members: Member[]): Blob {
  const sorted = [...members].sort((a, b) => (a.path < b.path ? -1 : 1))
  const parts: Uint8Array<ArrayBuffer>[] = []
  const directory: Uint8Array<ArrayBuffer>[] = []
  let offset = 0
  for (const { path, bytes } of sorted) {
    const name = new TextEncoder().encode(path)
    const about = [UTF8, 0, 0, DATE] // flags, stored, time, date
    const sizes = [crc32(bytes), bytes.length, bytes.length]
    const local = [...u32(LOCAL), ...u16(20, ...about), ...u32(...sizes), ...u16(name.length, 0)]
    const central = [
      ...[...u32(CENTRAL), ...u16(20, 20, ...about), ...u32(...sizes)],
      ...[...u16(name.length, 0, 0, 0, 0), ...u32(0, offset)],
    ]
    parts.push(Uint8Array.from(local), name, bytes)
    directory.push(Uint8Array.from(central), name)
    offset += local.length + name.length + bytes.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const end = [
    ...[...u32(END), ...u16(0, 0, sorted.length, sorted.length)],
    ...[...u32(size, offset), ...u16(0)],
  ]
  return new Blob([...parts, ...directory, Uint8Array.from(end)], { type: 'application/zip' })
}

const u16 = (...values: number[]) => values.flatMap((value) => [value & 255, (value >> 8) & 255])
const u32 = (...values: number[]) =>
  values.flatMap((value) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255))

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
