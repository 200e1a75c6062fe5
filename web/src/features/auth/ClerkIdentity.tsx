import { ClerkProvider, useAuth } from '@clerk/react';
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';

import { useApi, useSession } from '@/api/ApiContext';
import type { SessionGrant, User } from '@/api/types';
import { paths } from '@/config/paths';

import { EntryContext } from './entry';

interface Props {
  publishableKey: string;
  /** Goes to an address of ours without loading the page anew. */
  navigate: (to: string, replace: boolean) => void;
  children: ReactNode;
}

/** Lets Clerk decide who is logged in; our session holds its tokens and renews them there. */
export function ClerkIdentity({ publishableKey, navigate, children }: Props) {
  return (
    <ClerkProvider
      publishableKey={publishableKey}
      signInUrl={paths.login}
      signUpUrl={paths.register}
      afterSignOutUrl={paths.login}
      telemetry={false}
      routerPush={(to) => navigate(to, false)}
      routerReplace={(to) => navigate(to, true)}
    >
      <SessionBridge>{children}</SessionBridge>
    </ClerkProvider>
  );
}

function SessionBridge({ children }: { children: ReactNode }) {
  const api = useApi();
  const session = useSession();
  const { isLoaded, isSignedIn, getToken, signOut } = useAuth();
  const hadSession = useRef(false);
  const [failure, setFailure] = useState<Error | null>(null);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    if (!isLoaded) return;
    if (!isSignedIn) {
      api.session.clear();
      return;
    }
    let left = false;
    const grant = async (): Promise<SessionGrant | null> => {
      const token = await getToken({ skipCache: true });
      if (token === null) return null;
      const user = await api.as<User>(token, '/auth/me');
      return { user, token, refresh_token: '', expires_at: endOf(token) };
    };
    // While Clerk is away the last token is used as long as it is good.
    api.renewWith(() => grant().catch(() => null));
    grant().then(
      (found) => {
        if (found !== null && !left) api.session.set(found);
      },
      (error: unknown) => {
        if (!left) setFailure(error instanceof Error ? error : new Error(String(error)));
      },
    );
    return () => {
      left = true;
      api.renewWith(null);
    };
  }, [api, getToken, isLoaded, isSignedIn, tries]);

  // "Log out" in our own menu only clears our session: Clerk has to hear of it.
  useEffect(() => {
    if (session !== null) hadSession.current = true;
    else if (hadSession.current && isSignedIn === true) {
      hadSession.current = false;
      // Told what to do next, Clerk does not load its own next page over ours. After an account
      // was deleted there may be no session left to end.
      void signOut(() => undefined).catch(() => undefined);
    }
  }, [session, isSignedIn, signOut]);

  const entry = useMemo(() => {
    const retry = (): void => {
      setFailure(null);
      setTries((count) => count + 1);
    };
    return { failure, retry };
  }, [failure]);
  return <EntryContext value={entry}>{children}</EntryContext>;
}

/** When a token stops to be accepted, as it says itself. */
function endOf(token: string): string {
  const [, body = ''] = token.split('.');
  const claims = JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/'))) as {
    exp: number;
  };
  return new Date(claims.exp * 1000).toISOString();
}
