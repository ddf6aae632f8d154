/** Pictures in the browser: what is drawn as a file, and what the model will see of a file. */
import type { Grey } from '@/util/digit'

/** The kinds that the gateway takes. */
export const KINDS = ['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/bmp']

export function paint(canvas: HTMLCanvasElement, { width, height, pixels }: Grey): void {
  const context = canvas.getContext('2d')
  if (!context) return
  canvas.width = width
  canvas.height = height
  const image = context.createImageData(width, height)
  pixels.forEach((value, i) => {
    image.data.set([value, value, value, 255], i * 4)
  })
  context.putImageData(image, 0, 0)
}

export function pngOf(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((done, failed) =>
    canvas.toBlob(
      (blob) => (blob ? done(blob) : failed(new Error('the picture cannot be written'))),
      'image/png',
    ),
  )
}

/** Scale a picture as its recipe does, so that one sees what the model sees. */
export async function preview(
  canvas: HTMLCanvasElement,
  picture: Blob,
  { side, channels }: { side: number; channels: number },
): Promise<void> {
  const bitmap = await createImageBitmap(picture)
  canvas.width = canvas.height = side
  const context = canvas.getContext('2d')
  if (!context) return
  context.imageSmoothingQuality = 'high'
  context.filter = channels === 1 ? 'grayscale(1)' : 'none'
  context.drawImage(bitmap, 0, 0, side, side)
  bitmap.close()
}

export async function base64Of(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
