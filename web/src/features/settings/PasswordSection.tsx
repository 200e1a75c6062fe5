import { useState, type SubmitEvent } from 'react';

import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { PasswordField } from '@/components/ui/PasswordField';
import { limits } from '@/config/limits';

import { useChangePassword } from './account';
import { Card } from './Card';

const TOO_SHORT = `Use at least ${limits.passwordChars} characters.`;

/** A new password, which also ends every login but this one. */
export function PasswordSection() {
  const change = useChangePassword();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [refused, setRefused] = useState(false);
  const tooShort = Array.from(next).length < limits.passwordChars;

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setRefused(tooShort);
    if (tooShort) return;
    const onSuccess = (): void => {
      setCurrent('');
      setNext('');
    };
    change.mutate({ current, new: next }, { onSuccess });
  };

  return (
    <Card title="Password">
      <form onSubmit={submit} className="max-w-sm space-y-4">
        <PasswordField
          label="Current password"
          autoComplete="current-password"
          required
          value={current}
          onChange={(event) => setCurrent(event.target.value)}
        />
        <PasswordField
          label="New password"
          autoComplete="new-password"
          required
          value={next}
          hint={TOO_SHORT}
          error={refused && tooShort ? TOO_SHORT : undefined}
          onChange={(event) => setNext(event.target.value)}
        />
        {change.error !== null && <Notice tone="danger">{describe(change.error)}</Notice>}
        {change.isSuccess && (
          <Notice tone="info">Your password is changed. Every other login has ended.</Notice>
        )}
        <Button type="submit" busy={change.isPending}>
          Change password
        </Button>
      </form>
    </Card>
  );
}
