import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { live } from '@/api/live'
import { sessionQuery, signOut } from '@/api/queries/core'
import { pb } from '@/util/path-builder'

/** Out, and nothing of what was seen is kept. */
export function useSignOut(): () => void {
  const queryClient = useQueryClient()
  const router = useRouter()
  const { mutate } = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      live.close()
      queryClient.clear()
      queryClient.setQueryData(sessionQuery.queryKey, null)
      await router.navigate({ ...pb.signIn(), replace: true })
    },
  })
  return mutate
}
