export const endpointRoutes = [] as const
