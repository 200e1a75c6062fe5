import { Link } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';

import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { PasswordField } from '@/components/ui/PasswordField';
import { TextField } from '@/components/ui/TextField';
import { paths } from '@/config/paths';

import { useLogin } from './api';
import { AuthLayout } from './AuthLayout';

export function LoginPage() {
  const login = useLogin();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    login.mutate({ email: email.trim(), password });
  };

  return (
    <AuthLayout title="Welcome back">
      <form onSubmit={submit} className="space-y-5">
        {login.error !== null && <Notice tone="danger">{describe(login.error)}</Notice>}
        <TextField
          label="Email"
          type="email"
          autoComplete="email"
          required
          autoFocus
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <PasswordField
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button type="submit" variant="primary" busy={login.isPending} className="w-full">
          Log in
        </Button>
      </form>
      <p className="mt-7 text-sm text-ink-soft">
        New here?{' '}
        <Link
          to={paths.register}
          search={true}
          className="font-medium text-accent-strong underline underline-offset-4"
        >
          Create an account
        </Link>
      </p>
    </AuthLayout>
  );
}
