import { SignIn, SignUp } from '@clerk/react';

import { paths } from '@/config/paths';

import { AuthLayout } from './AuthLayout';

export function ClerkLogin() {
  return (
    <AuthLayout title="Welcome back">
      <SignIn routing="hash" signUpUrl={paths.register} />
    </AuthLayout>
  );
}

export function ClerkRegister() {
  return (
    <AuthLayout title="Create your account">
      <SignUp routing="hash" signInUrl={paths.login} />
    </AuthLayout>
  );
}
