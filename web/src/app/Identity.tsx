import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, type ReactNode } from 'react';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';

// Clerk's components are loaded only where they are used.
const ClerkIdentity = lazy(async () => ({
  default: (await import('@/features/auth/ClerkIdentity')).ClerkIdentity,
}));

/** Whoever keeps the accounts stands around the app: Clerk, or nobody with local accounts. */
export function Identity({ children }: { children: ReactNode }) {
  const { data } = useQuery(configQuery(useApi()));
  const key = data?.clerk_publishable_key;
  if (data?.identity !== 'clerk' || key === null || key === undefined) return children;
  return (
    <Suspense>
      <ClerkIdentity publishableKey={key}>{children}</ClerkIdentity>
    </Suspense>
  );
}
