import { render } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { Subscription } from '@/api/types';

import { PlanDates } from './PlanDates';

const AT = '2026-06-01T12:00:00Z';
const ACTIVE: Subscription = {
  plan: 'pro',
  status: 'active',
  provider: 'stripe',
  entitled: true,
  reason: '',
  current_period_end: AT,
  cancel_at_period_end: false,
};

describe('PlanDates', () => {
  it.each([
    [{}, 'Renews on'],
    [{ cancel_at_period_end: true }, 'Cancelled: your agents run until'],
    [{ status: 'trialing', trial_end: AT }, 'The trial ends on'],
  ])('%o: %s', (more, words) => {
    const { container } = render(<PlanDates subscription={{ ...ACTIVE, ...more }} />);
    expect(container).toHaveTextContent(words);
    expect(container.querySelector('time')).toHaveAttribute('datetime', AT);
  });

  it('says nothing where nothing is to come', () => {
    const none = { ...ACTIVE, status: 'canceled', entitled: false };
    const { container } = render(<PlanDates subscription={none} />);
    expect(container).toBeEmptyDOMElement();
  });
});
