import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import { useApi } from '@/api/ApiContext';
import type { Export, SessionGrant } from '@/api/types';
import { paths } from '@/config/paths';

/** Sets a new password. Every other login ends; this one goes on with new tokens. */
export function useChangePassword() {
  const api = useApi();
  return useMutation({
    mutationFn: (body: { current: string; new: string }) =>
      api.post<SessionGrant>('/auth/password', body),
    onSuccess: (grant) => api.session.set(grant),
  });
}

export interface Leaving {
  /** Null where the account is at Clerk. */
  password: string | null;
  /** `export`: everything is written to a file first. */
  repositories: 'erase' | 'export';
}

/** Erases the account and everything of it, and goes to where the exported file is to be had. */
export function useLeave() {
  const api = useApi();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (body: Leaving) => api.post<{ export: Export } | undefined>('/auth/delete', body),
    onSuccess: async (left) => {
      // There is nobody left to be logged in, so the file's address goes to an open page.
      await navigate({ to: paths.goodbye, state: { left: { export: left?.export } } });
      api.session.clear();
    },
  });
}

/** Writes everything of the account to a file. The address is kept nowhere else. */
export function useExport() {
  const api = useApi();
  return useMutation({
    mutationFn: (password: string | null) => api.post<Export>('/auth/export', { password }),
    gcTime: 0,
  });
}

/** Ends every login of this account, here and on other devices. */
export function useLogOutEverywhere() {
  const api = useApi();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => {
      const token = api.session.get()?.refreshToken ?? '';
      return api.post<undefined>('/auth/logout', { refresh_token: token, everywhere: true });
    },
    onSuccess: () => {
      api.session.clear();
      void navigate({ to: paths.login });
    },
  });
}
