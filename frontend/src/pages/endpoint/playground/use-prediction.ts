import { useEffect, useRef, useState } from 'react'
import { type Prediction, predict } from '@/api/queries/endpoints'

/** What is sent: the body, and what a program would write for it. */
export interface Sent {
  body: Blob | string
  contentType: string
  /** The name of the file, where it is one. */
  file?: string
}

export interface Asked {
  prediction: Prediction | null
  error: unknown
  busy: boolean
  ask: (sent: Sent) => void
  /** Ask a moment later, unless something else is asked until then. */
  askSoon: (sent: Sent) => void
  clear: () => void
}

const SOON_MS = 150

/** Asks the model; of several questions on their way the last one's answer is shown. */
export function usePrediction(endpoint: string): Asked {
  const [prediction, setPrediction] = useState<Prediction | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [pending, setPending] = useState(0)
  const newest = useRef(0)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])

  const ask = async ({ body, contentType }: Sent) => {
    clearTimeout(timer.current)
    newest.current += 1
    const mine = newest.current
    setPending((count) => count + 1)
    try {
      const answered = await predict(endpoint, body, contentType)
      if (mine !== newest.current) return
      setPrediction(answered)
      setError(null)
    } catch (refused) {
      if (mine !== newest.current) return
      setPrediction(null)
      setError(refused)
    } finally {
      setPending((count) => count - 1)
    }
  }
  return {
    prediction,
    error,
    busy: pending > 0,
    ask: (sent) => void ask(sent),
    askSoon: (sent) => {
      clearTimeout(timer.current)
      timer.current = setTimeout(() => void ask(sent), SOON_MS)
    },
    clear: () => {
      clearTimeout(timer.current)
      newest.current += 1
      setPrediction(null)
      setError(null)
    },
  }
}
