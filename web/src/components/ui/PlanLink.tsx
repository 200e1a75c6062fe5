import { Link } from '@tanstack/react-router';

import { paths } from '@/config/paths';

/** The way to pay, wherever something was refused for want of a plan. */
export function PlanLink() {
  return (
    <Link to={paths.settings} hash="billing" className="font-medium underline underline-offset-2">
      See your plan
    </Link>
  );
}
