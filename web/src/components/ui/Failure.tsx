import { describe, needsPlan } from '@/api/problem';

import { Notice } from './Notice';
import { PlanLink } from './PlanLink';

/** Why something was refused, with the way to pay where paying would let it through. */
export function Failure({ error }: { error: unknown }) {
  return (
    <Notice tone="danger">
      {describe(error)} {needsPlan(error) && <PlanLink />}
    </Notice>
  );
}
