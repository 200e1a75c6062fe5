import { useState, type SubmitEvent } from 'react';

import { useSession } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { Modal } from '@/components/ui/Modal';
import { Notice } from '@/components/ui/Notice';
import { PasswordField } from '@/components/ui/PasswordField';
import { TextField } from '@/components/ui/TextField';

import { useLeave, type Leaving } from './account';

const CHOICES = [
  { value: 'export', label: 'Give me a file with everything first' },
  { value: 'erase', label: 'Erase them without a copy' },
] as const;

interface Props {
  /** Whether the account is kept here: then a lost login alone must not be enough. */
  asksPassword: boolean;
  onClose: () => void;
}

/** Asks for one's own address, and the password if there is one, before everything is erased. */
export function LeaveDialog({ asksPassword, onClose }: Props) {
  const leave = useLeave();
  const email = useSession()?.user.email ?? '';
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const [repositories, setRepositories] = useState<Leaving['repositories']>('export');
  const sure = typed.trim().toLowerCase() === email.toLowerCase();

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (sure) leave.mutate({ password: asksPassword ? password : null, repositories });
  };

  return (
    <Modal
      open
      onOpenChange={(open) => {
        if (!open && !leave.isPending) onClose();
      }}
      title="Delete your account?"
      description="Your agents stop and everything of yours here is erased. This can’t be undone."
    >
      <form onSubmit={submit} className="space-y-4 p-5">
        <fieldset className="space-y-2 text-sm">
          <legend className="mb-1.5 font-medium">Repositories, messages and tasks</legend>
          {CHOICES.map(({ value, label }) => (
            <label key={value} className="flex items-start gap-2.5">
              <input
                type="radio"
                name="repositories"
                className="mt-1 accent-accent"
                checked={repositories === value}
                onChange={() => setRepositories(value)}
              />
              {label}
            </label>
          ))}
        </fieldset>
        <TextField
          label={`Type ${email} to confirm`}
          autoComplete="off"
          spellCheck={false}
          required
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        {asksPassword && (
          <PasswordField
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        {leave.error !== null && <Notice tone="danger">{describe(leave.error)}</Notice>}
        <div className="flex flex-wrap justify-end gap-2">
          <Button disabled={leave.isPending} onClick={onClose}>
            Keep my account
          </Button>
          <Button type="submit" variant="danger" disabled={!sure} busy={leave.isPending}>
            Delete everything
          </Button>
        </div>
      </form>
    </Modal>
  );
}
