import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, type ReactNode } from 'react';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';

interface Props {
  navigate: (to: string, replace: boolean) => void;
  children: ReactNode;
}

// Clerk's components are loaded only where they are used.
const ClerkIdentity = lazy(async () => ({
  default: (await import('@/features/auth/ClerkIdentity')).ClerkIdentity,
}));

/** Whoever keeps the accounts stands around the app: Clerk, or nobody with local accounts. */
export function Identity({ navigate, children }: Props) {
  const { data } = useQuery(configQuery(useApi()));
  const key = data?.clerk_publishable_key;
  if (data?.identity !== 'clerk' || key === null || key === undefined) return children;
  return (
    <Suspense>
      <ClerkIdentity publishableKey={key} navigate={navigate}>
        {children}
      </ClerkIdentity>
    </Suspense>
  );
}
