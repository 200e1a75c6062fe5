import { Link } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';

import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { PasswordField } from '@/components/ui/PasswordField';
import { TextField } from '@/components/ui/TextField';
import { limits } from '@/config/limits';
import { paths } from '@/config/paths';

import { useRegister } from './api';
import { AuthLayout } from './AuthLayout';

const TOO_SHORT = `Use at least ${limits.passwordChars} characters.`;

export function RegisterPage() {
  const register = useRegister();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [refused, setRefused] = useState(false);
  const tooShort = Array.from(password).length < limits.passwordChars;

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setRefused(tooShort);
    if (!tooShort) register.mutate({ name: name.trim(), email: email.trim(), password });
  };

  return (
    <AuthLayout title="Create your account">
      <form onSubmit={submit} className="space-y-5">
        {register.error !== null && <Notice tone="danger">{describe(register.error)}</Notice>}
        <TextField
          label="Name"
          hint="What your agent calls you."
          autoComplete="name"
          required
          autoFocus
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label="Email"
          type="email"
          autoComplete="email"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <PasswordField
          autoComplete="new-password"
          required
          value={password}
          hint={`At least ${limits.passwordChars} characters; a short sentence is a good one.`}
          error={refused && tooShort ? TOO_SHORT : undefined}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button type="submit" variant="primary" busy={register.isPending} className="w-full">
          Create account
        </Button>
      </form>
      <p className="mt-7 text-sm text-ink-soft">
        Have an account?{' '}
        <Link
          to={paths.login}
          search={true}
          className="font-medium text-accent-strong underline underline-offset-4"
        >
          Log in
        </Link>
      </p>
    </AuthLayout>
  );
}
