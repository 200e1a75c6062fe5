import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import { describe } from '@/api/problem';
import { Badge } from '@/components/ui/Badge';
import { CodeBlock } from '@/components/ui/CodeBlock';
import { Notice } from '@/components/ui/Notice';
import { Skeleton } from '@/components/ui/Skeleton';

import { Card } from './Card';

const EXAMPLE = `export GROWQR_MODEL__PROVIDER=anthropic
export GROWQR_MODEL__NAME=…
export GROWQR_MODEL__API_KEY=…
./grow up`;

export function ModelSection() {
  const api = useApi();
  const { data, error } = useQuery(configQuery(api));
  return (
    <Card title="Language model">
      {error !== null && <Notice tone="danger">{describe(error)}</Notice>}
      {data === undefined && error === null && <Skeleton lines={2} label="Loading model" />}
      {data?.model.offline === true && (
        <div className="space-y-3 text-ink-soft">
          <p>
            <Badge tone="warning">offline model</Badge> Answers follow fixed rules. That is enough
            to try everything; it is not intelligence. Give the server a key for the real thing
            (Anthropic, OpenAI, Google, or any compatible address):
          </p>
          <CodeBlock language="shell" text={EXAMPLE} />
        </div>
      )}
      {data?.model.offline === false && (
        <p>
          <span className="font-mono text-sm">{data.model.name}</span>{' '}
          <span className="text-ink-soft">from {data.model.provider}</span>
        </p>
      )}
    </Card>
  );
}
