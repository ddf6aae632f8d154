export const fleetRoutes = [] as const
