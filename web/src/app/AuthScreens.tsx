import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import { LoginPage } from '@/features/auth/LoginPage';
import { RegisterPage } from '@/features/auth/RegisterPage';

const ClerkLogin = lazy(async () => ({
  default: (await import('@/features/auth/ClerkPages')).ClerkLogin,
}));
const ClerkRegister = lazy(async () => ({
  default: (await import('@/features/auth/ClerkPages')).ClerkRegister,
}));

/** Logging in where the accounts are. */
export function LoginScreen() {
  return useClerk() ? <Suspense>{<ClerkLogin />}</Suspense> : <LoginPage />;
}

/** Registering where the accounts are. */
export function RegisterScreen() {
  return useClerk() ? <Suspense>{<ClerkRegister />}</Suspense> : <RegisterPage />;
}

function useClerk(): boolean {
  const { data } = useQuery(configQuery(useApi()));
  return data?.identity === 'clerk';
}
