import { useMutation } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { SessionGrant } from '@/api/types';

/** Sets a new password. Every other login ends; this one goes on with new tokens. */
export function useChangePassword() {
  const api = useApi();
  return useMutation({
    mutationFn: (body: { current: string; new: string }) =>
      api.post<SessionGrant>('/auth/password', body),
    onSuccess: (grant) => api.session.set(grant),
  });
}

/** Erases the account and everything of it; there is nobody left to be logged in. */
export function useLeave() {
  const api = useApi();
  return useMutation({
    mutationFn: (password: string) => api.post<undefined>('/auth/delete', { password }),
    onSuccess: () => api.session.clear(),
  });
}

/** Ends every login of this account, here and on other devices. */
export function useLogOutEverywhere() {
  const api = useApi();
  return useMutation({
    mutationFn: () => {
      const token = api.session.get()?.refreshToken ?? '';
      return api.post<undefined>('/auth/logout', { refresh_token: token, everywhere: true });
    },
    onSuccess: () => api.session.clear(),
  });
}
