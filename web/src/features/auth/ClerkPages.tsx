import { ClerkFailed, ClerkLoading, SignIn, SignUp, useAuth } from '@clerk/react';
import { use, type ReactNode } from 'react';

import { Button } from '@/components/ui/Button';
import { ErrorState } from '@/components/ui/ErrorState';
import { Notice } from '@/components/ui/Notice';
import { Spinner } from '@/components/ui/Spinner';
import { paths } from '@/config/paths';

import { AuthLayout } from './AuthLayout';
import { EntryContext } from './entry';

export function ClerkLogin() {
  return (
    <ClerkPage title="Welcome back">
      <SignIn routing="hash" signUpUrl={paths.register} />
    </ClerkPage>
  );
}

export function ClerkRegister() {
  return (
    <ClerkPage title="Create your account">
      <SignUp routing="hash" signInUrl={paths.login} />
    </ClerkPage>
  );
}

/** Clerk's form for strangers. For people it knows it would load our first page, again and again. */
function ClerkPage({ title, children }: { title: string; children: ReactNode }) {
  const { isLoaded, isSignedIn } = useAuth();
  return (
    <AuthLayout title={title}>
      {!isLoaded && (
        <ClerkLoading>
          <Waiting>Loading the sign-in…</Waiting>
        </ClerkLoading>
      )}
      <ClerkFailed>
        <Notice tone="danger">
          The sign-in of Clerk can’t be loaded. Check the connection, then load this page again.
        </Notice>
      </ClerkFailed>
      {/* Made before Clerk is loaded, its form can miss that moment and stay empty. */}
      {isLoaded && (isSignedIn ? <Entering /> : children)}
    </AuthLayout>
  );
}

/** Clerk knows them; our server is being asked, or has refused. */
function Entering() {
  const { failure, retry } = use(EntryContext);
  const { signOut } = useAuth();
  if (failure === null) return <Waiting>Signing you in…</Waiting>;
  return (
    <div className="space-y-4">
      <ErrorState error={failure} retry={retry} />
      <Button variant="ghost" size="small" onClick={() => void signOut(() => undefined)}>
        Log out
      </Button>
    </div>
  );
}

function Waiting({ children }: { children: ReactNode }) {
  return (
    <p role="status" className="flex items-center gap-2 text-sm text-ink-soft">
      <Spinner size={14} /> {children}
    </p>
  );
}
