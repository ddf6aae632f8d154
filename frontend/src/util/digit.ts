/** From a drawing to the picture a network of digits was trained on: MNIST's own preparation. */

/** Grey values, one byte per pixel, row by row; 0 is the ground, 255 is ink. */
export interface Grey {
  width: number
  height: number
  pixels: Uint8ClampedArray
}

/** The share of the side that the ink fills at most: 20 of 28. */
const FILLED = 20 / 28
/** Fainter than this is the edge of a soft stroke, not ink. */
const INK = 16

/**
 * The drawing, cropped to its ink, scaled into 20/28 of the side with its aspect kept, and with
 * its centre of mass in the middle. Null: there is no ink.
 */
export function centred(drawing: Grey, side = 28): Grey | null {
  const box = inkOf(drawing)
  if (!box) return null
  const room = Math.max(1, Math.round(side * FILLED))
  const scale = room / Math.max(box.width, box.height)
  const width = Math.max(1, Math.round(box.width * scale))
  const height = Math.max(1, Math.round(box.height * scale))
  const small = shrunk(drawing, box, width, height)
  const mass = centreOf(small)
  // whole pixels, as MNIST was made: a shift by parts of one would blur it
  const left = clamp(Math.round(side / 2 - mass.x), 0, side - width)
  const top = clamp(Math.round(side / 2 - mass.y), 0, side - height)
  const pixels = new Uint8ClampedArray(side * side)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels[(top + y) * side + left + x] = small.pixels[y * width + x] ?? 0
    }
  }
  return { width: side, height: side, pixels }
}

/** Centre of mass, in pixels from the upper left corner. */
export function centreOf({ width, pixels }: Grey): { x: number; y: number } {
  let [mass, x, y] = [0, 0, 0]
  pixels.forEach((value, i) => {
    mass += value
    x += value * ((i % width) + 0.5)
    y += value * (Math.floor(i / width) + 0.5)
  })
  return mass === 0 ? { x: 0, y: 0 } : { x: x / mass, y: y / mass }
}

/** The brightness of each pixel of what a canvas gives. */
export function greyOf({ width, height, data }: ImageData): Grey {
  const pixels = new Uint8ClampedArray(width * height)
  for (let i = 0; i < pixels.length; i++) {
    const [r = 0, g = 0, b = 0] = data.subarray(i * 4, i * 4 + 3)
    pixels[i] = (r * 299 + g * 587 + b * 114) / 1000
  }
  return { width, height, pixels }
}

interface Box {
  left: number
  top: number
  width: number
  height: number
}

function inkOf({ width, height, pixels }: Grey): Box | null {
  let [left, top, right, bottom] = [width, height, -1, -1]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((pixels[y * width + x] ?? 0) < INK) continue
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y)
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 }
}

/** Each new pixel is the mean of the area that it stands for. */
function shrunk(from: Grey, box: Box, width: number, height: number): Grey {
  const pixels = new Uint8ClampedArray(width * height)
  const [stepX, stepY] = [box.width / width, box.height / height]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels[y * width + x] = meanOf(
        from,
        box.left + x * stepX,
        box.left + (x + 1) * stepX,
        box.top + y * stepY,
        box.top + (y + 1) * stepY,
      )
    }
  }
  return { width, height, pixels }
}

function meanOf(from: Grey, left: number, right: number, top: number, bottom: number): number {
  let [sum, area] = [0, 0]
  for (let y = Math.floor(top); y < bottom; y++) {
    const tall = Math.min(y + 1, bottom) - Math.max(y, top)
    for (let x = Math.floor(left); x < right; x++) {
      const part = tall * (Math.min(x + 1, right) - Math.max(x, left))
      sum += part * (from.pixels[y * from.width + x] ?? 0)
      area += part
    }
  }
  return area === 0 ? 0 : sum / area
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most)
