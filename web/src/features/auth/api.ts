import { useMutation } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { SessionGrant } from '@/api/types';

export interface Credentials {
  email: string;
  password: string;
}

export interface Registration extends Credentials {
  name: string;
}

/** Logs in or registers; the session that comes back is kept at once. */
function useGrant<T>(path: string) {
  const api = useApi();
  return useMutation({
    mutationFn: (body: T) => api.post<SessionGrant>(path, body),
    onSuccess: (grant) => api.session.set(grant),
  });
}

export const useLogin = () => useGrant<Credentials>('/auth/login');
export const useRegister = () => useGrant<Registration>('/auth/register');
