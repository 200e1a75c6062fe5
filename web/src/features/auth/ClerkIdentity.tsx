import { ClerkProvider, useAuth } from '@clerk/react';
import { useEffect, useRef, type ReactNode } from 'react';

import { useApi, useSession } from '@/api/ApiContext';
import type { SessionGrant, User } from '@/api/types';
import { paths } from '@/config/paths';

interface Props {
  publishableKey: string;
  children: ReactNode;
}

/** Lets Clerk decide who is logged in; our session holds its tokens and renews them there. */
export function ClerkIdentity({ publishableKey, children }: Props) {
  return (
    <ClerkProvider
      publishableKey={publishableKey}
      signInUrl={paths.login}
      signUpUrl={paths.register}
      afterSignOutUrl={paths.login}
    >
      <SessionBridge />
      {children}
    </ClerkProvider>
  );
}

function SessionBridge() {
  const api = useApi();
  const session = useSession();
  const { isLoaded, isSignedIn, getToken, signOut } = useAuth();
  const hadSession = useRef(false);

  useEffect(() => {
    if (!isLoaded) return;
    if (!isSignedIn) {
      api.session.clear();
      return;
    }
    const grant = async (): Promise<SessionGrant | null> => {
      const token = await getToken({ skipCache: true });
      if (token === null) return null;
      const user = await api.as<User>(token, '/auth/me');
      return { user, token, refresh_token: '', expires_at: endOf(token) };
    };
    api.renewWith(grant);
    void grant()
      .then((found) => found !== null && api.session.set(found))
      .catch(() => undefined); // Clerk or the server is away: the next request tries again
    return () => api.renewWith(null);
  }, [api, getToken, isLoaded, isSignedIn]);

  // "Log out" in our own menu only clears our session: Clerk has to hear of it.
  useEffect(() => {
    if (session !== null) hadSession.current = true;
    else if (hadSession.current && isSignedIn === true) {
      hadSession.current = false;
      void signOut();
    }
  }, [session, isSignedIn, signOut]);

  return null;
}

/** When a token stops to be accepted, as it says itself. */
function endOf(token: string): string {
  const [, body = ''] = token.split('.');
  const claims = JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/'))) as {
    exp: number;
  };
  return new Date(claims.exp * 1000).toISOString();
}
