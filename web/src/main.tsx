import './styles.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { ApiClient } from '@/api/client';
import { SessionStore } from '@/api/session';
import { App } from '@/app/App';
import { makeQueryClient } from '@/app/queries';
import { makeRouter } from '@/app/router';

const session = new SessionStore();
const element = document.getElementById('root');
if (element === null) throw new Error('index.html has no #root');
createRoot(element).render(
  <StrictMode>
    <App api={new ApiClient(session)} queries={makeQueryClient()} router={makeRouter(session)} />
  </StrictMode>,
);
