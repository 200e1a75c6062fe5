import { useState } from 'react';

import { Button } from '@/components/ui/Button';

import { Card } from './Card';
import { LeaveDialog } from './LeaveDialog';

/** The way out, told before it is taken. */
export function LeaveSection({ asksPassword }: { asksPassword: boolean }) {
  const [asking, setAsking] = useState(false);
  return (
    <Card title="Leave for good">
      <p className="mb-3 text-ink-soft">
        Your agents stop, a paid plan ends, and your account, messages, repositories and workspaces
        are erased.{!asksPassword && ' Your account at Clerk is deleted, too.'}
      </p>
      <Button variant="danger" onClick={() => setAsking(true)}>
        Delete account…
      </Button>
      {asking && <LeaveDialog asksPassword={asksPassword} onClose={() => setAsking(false)} />}
    </Card>
  );
}
