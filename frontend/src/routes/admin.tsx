/** Pages of the installation, and of a project's own administration. */
export const adminRoutes = [] as const
export const projectAdminRoutes = [] as const
