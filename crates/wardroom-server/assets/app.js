// What a page of the dashboard does beyond what the server rendered. Every page works without it.

import { startChat } from './chat.js';
import { startCopying } from './copy.js';
import { startDialogs } from './dialogs.js';
import { startForms } from './forms.js';
import { startLive } from './live.js';
import { startNavigation } from './navigation.js';
import { startOutput } from './output.js';
import { startPasskeys } from './passkeys.js';
import { startTimes } from './times.js';
import { startUploads } from './upload.js';

startDialogs();
startForms();
startCopying();
startTimes();
startNavigation();
startOutput();
startPasskeys();
startUploads();
startLive();
startChat();
