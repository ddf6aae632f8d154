import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { type FleetNode, FleetStream } from '@/api/fleet'
import { fleetQuery } from '@/api/queries/fleet'
import { useLive } from './use-live'

/** The whole map is a large answer: however much moves, it is asked for at most so often. */
const REFRESH_MS = 4000
const FORGET_MS = 2000

interface Fleet {
  /** Grows by itself, without a render: see `FleetMap`. */
  stream: FleetStream
  /** The nodes that the stream is arranged for; undefined while they are being fetched. */
  nodes: readonly FleetNode[] | undefined
  error: unknown
}

/** Every node and device, and their newest readings once a second. */
export function useFleet(): Fleet {
  const queryClient = useQueryClient()
  const { data, error } = useQuery(fleetQuery)
  const [stream] = useState(() => new FleetStream())
  const [nodes, setNodes] = useState<readonly FleetNode[]>()
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const askedAt = useRef(0)

  const refresh = () => {
    timer.current ??= setTimeout(
      () => {
        timer.current = undefined
        askedAt.current = Date.now()
        void queryClient.invalidateQueries({ queryKey: fleetQuery.queryKey })
      },
      Math.max(300, askedAt.current + REFRESH_MS - Date.now()),
    )
  }
  useLive('fleet', { event: refresh, resync: refresh })
  useLive('fleet.live', {
    event: (event) => {
      if (event.event === 'fleet.samples') stream.take(event)
    },
  })
  useEffect(() => {
    if (!data) return
    stream.arrange(data)
    setNodes(data)
  }, [data, stream])
  useEffect(() => {
    const forget = setInterval(() => stream.forget(), FORGET_MS)
    return () => {
      clearInterval(forget)
      clearTimeout(timer.current)
      timer.current = undefined
    }
  }, [stream])
  return { stream, nodes, error }
}
